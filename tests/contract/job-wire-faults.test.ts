/** The contract of all protocol folders: the wire fails while the application's job runs. */
import { sweepJobs } from './job-sweep.ts'

sweepJobs(['stall', 'hang', 'late', 'flip', 'flip-out'])
