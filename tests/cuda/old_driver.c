/* What the CUDA runtime answers where the driver is older than it: preloaded, these come before the runtime's
 * own. */
enum { INSUFFICIENT_DRIVER = 35 };

__attribute__((visibility("default"))) int cudaGetDeviceCount(int *count) {
  *count = 0;
  return INSUFFICIENT_DRIVER;
}

__attribute__((visibility("default"))) int cudaDriverGetVersion(int *version) {
  *version = 12040;
  return 0;
}
