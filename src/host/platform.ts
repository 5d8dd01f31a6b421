/** The system that the browser runs on, as far as a page can tell; access help depends on it. */
export interface Platform {
  readonly os: 'windows' | 'macos' | 'linux' | 'chromeos' | 'android' | 'other'
  /** Linux: the browser comes in a sandbox that needs a permission of its own. */
  readonly packaged?: 'snap' | 'flatpak'
}
