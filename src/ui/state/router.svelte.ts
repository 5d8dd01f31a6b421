/** Where we are: the route of the page's address. */
import { parseRoute, type Route, type ScreenName } from './route.ts'

export class Router {
  route: Route = $state.raw(parseRoute(location.hash))

  constructor() {
    addEventListener('hashchange', () => (this.route = parseRoute(location.hash)))
  }

  go(screen: ScreenName, part?: string): void {
    location.hash = `#/${screen === 'bench' ? '' : screen}${part ? `/${part}` : ''}`
  }
}
