/**
 * What runs USBasp firmware and is brought back over its ten-pin header, with the jumper closed that connects the
 * header's reset to its own. Sources: `Readme.txt` of USBasp; for the stick, which has other USB wires than the
 * original, issue 3 of bperrybap/usbasp and the readme of aleh/usbisp.
 */
import type { Rescues } from '#core/programmer.ts'
import { boards } from './builds.ts'

export default [
  {
    sheet: 'usbasp',
    name: 'USBasp',
    by: 'isp',
    chips: boards,
    homes: ['https://www.fischl.de/usbasp/', 'https://github.com/dioannidis/usbasp/releases'],
  },
  {
    sheet: 'usbisp',
    name: 'USB ISP',
    by: 'isp',
    chips: ['ATmega88', 'ATmega88P'],
    since: '1.06',
    homes: ['https://github.com/dioannidis/usbasp/releases', 'https://github.com/aleh/usbisp'],
  },
] satisfies Rescues
