/** The contract of all protocol folders: the wire fails, at any transfer. */
import { sweep } from './sweep.ts'

sweep(['stall', 'hang', 'short'])
