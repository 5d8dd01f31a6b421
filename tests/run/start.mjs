/** `npm start`: builds the site and serves it. Practise without hardware is one click on the first page. */
import { installPackages, tool } from './machine.mjs'

installPackages()
if (tool('vite', ['build', '--logLevel', 'warn'])) process.exit(1)
const port = process.env.PORT ?? '4173'
const open = process.env.CI || !(process.env.DISPLAY || process.platform !== 'linux') ? [] : ['--open']
console.log(`Reflasher is at http://localhost:${port}/`)
process.exit(tool('vite', ['preview', '--port', port, '--strictPort', ...open]))
