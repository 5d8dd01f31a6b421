/**
 * Access help: why a browser may not open a device, and what to do about it on each system. One cause, one
 * fix, and the exact text to copy. Facts: WebUSB and Web Serial in Chromium, systemd's uaccess (rules below
 * number 73), snapd's raw-usb interface, libwdi's FAQ, Chrome Enterprise's WebUsbAskForUrls,
 * WebHidAskForUrls and SerialAskForUrls; hidapi's `udev/69-hid.rules` for hidraw.
 */
import { usbId } from '#core/bytes.ts'
import type { DeviceApi } from '#core/errors.ts'
import type { Platform } from '#host/platform.ts'
import { m } from './generated/messages.js'

export interface CopyText {
  readonly label: string
  readonly text: string
}

/** What to do, and the texts that are needed for it. */
export interface Help {
  readonly now: readonly string[]
  readonly copy?: readonly CopyText[]
}

interface Wanted {
  readonly api: DeviceApi
  readonly vendorId?: number | undefined
  readonly productId?: number | undefined
}

/** The udev rule that opens exactly one kind of device to whoever sits at the computer. */
export function udevRule(api: DeviceApi, vendorId: number, productId: number): string {
  const [vendor, product] = usbId(vendorId, productId).split(':')
  const rules: Record<DeviceApi, string> = {
    usb: `SUBSYSTEM=="usb", ATTR{idVendor}=="${vendor}", ATTR{idProduct}=="${product}", MODE="0660", TAG+="uaccess", ENV{ID_MM_DEVICE_IGNORE}="1"`,
    serial: `SUBSYSTEM=="tty", ATTRS{idVendor}=="${vendor}", ATTRS{idProduct}=="${product}", MODE="0660", TAG+="uaccess", ENV{ID_MM_PORT_IGNORE}="1"`,
    hid: `KERNEL=="hidraw*", SUBSYSTEM=="hidraw", ATTRS{idVendor}=="${vendor}", ATTRS{idProduct}=="${product}", MODE="0660", TAG+="uaccess"`,
  }
  return rules[api]
}

function ruleTexts({ api, vendorId, productId }: Wanted): CopyText[] {
  if (vendorId === undefined || productId === undefined)
    return [{ label: m.access_copy_lsusb(), text: 'lsusb' }]
  const id = usbId(vendorId, productId)
  const kind = api === 'hid' ? '-hid' : ''
  const file = `/etc/udev/rules.d/70-reflasher-${id.replace(':', '-')}${kind}.rules`
  return [
    {
      label: m.access_copy_rule({ id }),
      text: `echo '${udevRule(api, vendorId, productId)}' | sudo tee ${file}\nsudo udevadm control --reload && sudo udevadm trigger`,
    },
    {
      label: m.access_copy_undo_rule(),
      text: `sudo rm ${file} && sudo udevadm control --reload && sudo udevadm trigger`,
    },
  ]
}

const snapTexts = (): CopyText[] => [
  { label: m.access_copy_snap(), text: 'sudo snap connect chromium:raw-usb' },
]

const flatpakTexts = (): CopyText[] =>
  [
    { browser: 'Chrome', app: 'com.google.Chrome' },
    { browser: 'Chromium', app: 'org.chromium.Chromium' },
  ].map(({ browser, app }) => ({
    label: m.access_copy_flatpak({ browser }),
    text: `flatpak override --user --device=all --filesystem=/run/udev:ro ${app}`,
  }))

const groupTexts = (): CopyText[] => [
  { label: m.access_copy_dialout(), text: 'sudo usermod -aG dialout "$USER"' },
  { label: m.access_copy_uucp(), text: 'sudo usermod -aG uucp "$USER"' },
]

/** A page cannot see how its browser was installed, so both ways are offered. */
const sandboxTexts = (): CopyText[] => [...snapTexts(), ...flatpakTexts()]

function linux(wanted: Wanted): Help {
  const rule = ruleTexts(wanted)
  const known = wanted.vendorId !== undefined && wanted.productId !== undefined
  if (wanted.api === 'serial')
    return {
      now: [m.access_linux_group(), m.access_linux_maybe_sandbox()],
      copy: [...groupTexts(), ...(known ? rule : []), ...sandboxTexts()],
    }
  return {
    now: [
      known ? m.access_linux_rule() : m.access_linux_no_id(),
      m.access_linux_replug(),
      m.access_linux_maybe_sandbox(),
    ],
    copy: [...rule, ...sandboxTexts()],
  }
}

function windows({ api, vendorId, productId }: Wanted): Help {
  if (api === 'serial') return { now: [m.access_windows_serial(), m.now_again()] }
  if (api === 'hid') return { now: [m.access_windows_hid(), m.now_again()] }
  const id =
    vendorId === undefined || productId === undefined
      ? undefined
      : usbId(vendorId, productId).replace(':', ' ').toUpperCase()
  return {
    now: [
      m.access_windows_zadig_get(),
      id === undefined ? m.access_windows_zadig_pick_untold() : m.access_windows_zadig_pick({ id }),
      m.access_windows_zadig_install(),
      m.access_windows_phone(),
    ],
    copy: [
      ...(id === undefined ? [] : [{ label: m.access_copy_usb_id(), text: id }]),
      { label: m.access_copy_zadig_undo(), text: m.access_windows_undo_text() },
    ],
  }
}

/** The system does not let the browser open the device, or has no driver for it. */
export function accessHelp(wanted: Wanted, { os }: Platform): Help {
  switch (os) {
    case 'linux':
      return linux(wanted)
    case 'windows':
      return windows(wanted)
    case 'macos':
      return {
        now:
          wanted.api === 'usb'
            ? [m.access_macos_usb(), m.access_macos_serial_instead()]
            : [wanted.api === 'hid' ? m.access_macos_usb() : m.access_macos_bridge(), m.now_again()],
      }
    case 'android':
      return { now: [m.access_android(), m.now_again()] }
    case 'chromeos':
      return { now: [m.access_chromeos(), m.now_again()] }
    case 'other':
      return { now: [m.now_replug(), m.now_again()] }
  }
}

/** Another program has the device; on Linux a serial port without rights looks the same to a page. */
export function busyHelp(api: DeviceApi, { os }: Platform): Help {
  const again = m.now_again()
  switch (os) {
    case 'linux':
      return api !== 'serial'
        ? {
            now: [m.access_busy_linux_usb(), again],
            copy: [
              { label: m.access_copy_holders_usb(), text: 'lsusb -t' },
              {
                label: m.access_copy_gvfs(),
                text: 'systemctl --user stop gvfs-gphoto2-volume-monitor gvfs-mtp-volume-monitor',
              },
            ],
          }
        : {
            now: [
              m.access_linux_group(),
              m.access_busy_linux_serial(),
              m.access_linux_maybe_sandbox(),
              again,
            ],
            copy: [
              ...groupTexts(),
              { label: m.access_copy_holders_serial(), text: 'sudo fuser -v /dev/ttyACM* /dev/ttyUSB*' },
              { label: m.access_copy_modemmanager(), text: 'sudo systemctl stop ModemManager' },
              ...sandboxTexts(),
            ],
          }
    case 'windows':
      return { now: [m.access_busy_windows(), again] }
    case 'macos':
      return { now: [m.access_busy_macos(), again] }
    case 'chromeos':
      return { now: [m.access_chromeos(), m.access_busy_other(), again] }
    case 'android':
    case 'other':
      return { now: [m.access_busy_other(), again] }
  }
}

const askPolicies: Record<DeviceApi, string> = {
  usb: 'WebUsbAskForUrls',
  serial: 'SerialAskForUrls',
  hid: 'WebHidAskForUrls',
}

/**
 * Policies that let `origin` ask for a device where asking is forbidden. Registry and file places:
 * Chrome Enterprise, "Set Chrome browser policies on managed PCs".
 */
export function policyHelp(api: DeviceApi, origin: string, { os }: Platform): Help {
  const name = askPolicies[api]
  const json = JSON.stringify({ [name]: [origin] }, null, 2)
  const key = String.raw`HKEY_LOCAL_MACHINE\SOFTWARE\Policies\Google\Chrome`
  const path = '/etc/opt/chrome/policies/managed/reflasher.json'
  const copy: CopyText =
    os === 'windows'
      ? {
          label: m.access_copy_policy_registry(),
          text: `Windows Registry Editor Version 5.00\r\n\r\n[${key}\\${name}]\r\n"1"="${origin}"\r\n`,
        }
      : os === 'linux'
        ? { label: m.access_copy_policy_file({ path }), text: json }
        : { label: m.access_copy_policy(), text: json }
  return { now: [m.error_policy_now_admin(), m.error_policy_now_other()], copy: [copy] }
}
