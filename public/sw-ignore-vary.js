/* global CacheStorage */
// The files of the app are the same for everybody, whatever a host's `Vary` says; Workbox has no setting for it.
const match = CacheStorage.prototype.match
CacheStorage.prototype.match = function (request, options) {
  return match.call(this, request, { ...options, ignoreVary: true })
}
