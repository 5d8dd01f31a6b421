/** The contract of all protocol folders: people cancel and pull cables, at any transfer. */
import { sweep } from './sweep.ts'

sweep(['cancel', 'unplug'])
