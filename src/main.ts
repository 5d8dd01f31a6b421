import { mount } from 'svelte'
import { trustOwnScripts } from '#host/trusted-scripts.ts'
import './ui/tokens.css'
import Shell from './App.svelte'

trustOwnScripts()
const root = document.getElementById('app')
if (root) mount(Shell, { target: root })
performance.mark('ready')
