/** The contract of all protocol folders: the power, the page or the disk goes while the application's job runs. */
import { diskFaults } from './disk-faults.ts'
import { sweepJobs } from './job-sweep.ts'

sweepJobs(['unplug', 'power', 'brown-out', 'reload', ...diskFaults])
