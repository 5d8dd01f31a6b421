/** The system that the browser runs on, as far as a page can tell; access help depends on it. */
export interface Platform {
  readonly os: 'windows' | 'macos' | 'linux' | 'chromeos' | 'android' | 'other'
}

export function detectPlatform(agent: string = navigator.userAgent): Platform {
  if (agent.includes('Android')) return { os: 'android' }
  if (agent.includes('CrOS')) return { os: 'chromeos' }
  if (agent.includes('Windows')) return { os: 'windows' }
  if (agent.includes('Mac OS')) return { os: 'macos' }
  if (agent.includes('Linux')) return { os: 'linux' }
  return { os: 'other' }
}

/** The browser's own words for itself, for a log. */
export const browserName = (): string => navigator.userAgent

/** As the user has ordered them. */
export const browserLanguages = (): readonly string[] => navigator.languages
