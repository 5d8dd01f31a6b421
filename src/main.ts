import { flushSync, hydrate, mount } from 'svelte'
import { trustOwnScripts } from '#host/trusted-scripts.ts'
import './ui/tokens.css'
import Shell from './App.svelte'

trustOwnScripts()
const target = document.getElementById('app')
if (target) {
  const show = target.firstChild ? hydrate : mount
  show(Shell, { target })
  flushSync()
  target.dispatchEvent(new Event('hydrated')) // src/early.ts waits for it
  performance.mark('hydrated')
}
