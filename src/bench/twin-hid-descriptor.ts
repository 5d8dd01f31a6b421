/**
 * A HID twin's raw descriptors as the browser shows them: its interfaces' reports by collections. Source: Device Class
 * Definition for HID 1.11, 6.2.2 (report descriptors) and 7.1.1 (how they are asked for).
 */
import { answerControl, type ConfigurationDescriptor } from './twin-usb-descriptors.ts'
import type { UsbTwin } from './twin.ts'

/** Of an interface with interrupt endpoints both ways; without one OUT reports go over the control pipe, as no twin's do. */
export interface HidPipes {
  readonly number: number
  readonly in: USBEndpoint
  readonly out: USBEndpoint
}

const hidClass = 3
const ReportDescriptor = 0x2200
const mostBytes = 4096

/** Short items: prefix without the two bits of its length. */
const Item = {
  ...{ UsagePage: 0x04, ReportSize: 0x74, ReportId: 0x84, ReportCount: 0x94 },
  ...{ Usage: 0x08, Input: 0x80, Output: 0x90, Collection: 0xa0, End: 0xc0 },
} as const

export const hidPipes = ({ interfaces }: ConfigurationDescriptor): HidPipes[] =>
  interfaces.flatMap(({ number, alternates: [first] }) => {
    const of = (direction: USBDirection) =>
      first?.endpoints.find((one) => one.type === 'interrupt' && one.direction === direction)
    const [into, out] = [of('in'), of('out')]
    return first?.interfaceClass === hidClass && into && out ? [{ number, in: into, out }] : []
  })

/** As the system asks for it; undefined: the device does not say. */
export async function readCollections(
  twin: UsbTwin,
  { number }: HidPipes,
): Promise<HIDCollectionInfo[] | undefined> {
  const setup = { requestType: 0x81, request: 6, value: ReportDescriptor, index: number, length: mostBytes }
  const answer = await answerControl(twin, setup, new Uint8Array())
  return answer instanceof Uint8Array ? parseCollections(answer) : undefined
}

/** On the top level, with the reports within each. */
export function parseCollections(descriptor: Uint8Array): HIDCollectionInfo[] {
  const collections: Required<Pick<HIDCollectionInfo, 'usagePage' | 'usage'>>[] = []
  const reports: { inputReports: HIDReportInfo[]; outputReports: HIDReportInfo[] }[] = []
  let [usagePage, usage, depth, reportSize, reportCount, reportId] = [0, 0, 0, 0, 0, 0]
  for (let at = 0; at < descriptor.length;) {
    const prefix = descriptor[at] ?? 0
    const length = [0, 1, 2, 4][prefix & 3] ?? 0
    const value = descriptor.subarray(at + 1, at + 1 + length).reduceRight((sum, byte) => sum * 256 + byte, 0)
    at += 1 + length
    const add = (kind: 'inputReports' | 'outputReports') => {
      const list = reports.at(-1)?.[kind] ?? []
      const items = [{ reportSize, reportCount, isConstant: (value & 1) !== 0 }]
      const known = list.find((one) => one.reportId === reportId)
      if (known) known.items = [...(known.items ?? []), ...items]
      else list.push({ reportId, items })
    }
    switch (prefix & 0xfc) {
      case Item.UsagePage:
        usagePage = value
        break
      case Item.Usage:
        usage = value
        break
      case Item.ReportSize:
        reportSize = value
        break
      case Item.ReportCount:
        reportCount = value
        break
      case Item.ReportId:
        reportId = value
        break
      case Item.Input:
        add('inputReports')
        break
      case Item.Output:
        add('outputReports')
        break
      case Item.Collection:
        if (depth++ > 0) break
        collections.push({ usagePage, usage })
        reports.push({ inputReports: [], outputReports: [] })
        break
      case Item.End:
        depth--
    }
  }
  return collections.map((one, i) => ({ ...one, type: 1, children: [], featureReports: [], ...reports[i] }))
}
