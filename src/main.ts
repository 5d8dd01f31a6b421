import { mount } from 'svelte'
import { trustOwnScripts } from '#host/trusted-scripts.ts'
import { showScheme } from '#ui/state/scheme.ts'
import './ui/tokens.css'
import Shell from './App.svelte'

trustOwnScripts()
showScheme()
const root = document.getElementById('app')
if (root) mount(Shell, { target: root })
performance.mark('ready')
