#include "cli/output_path.h"

#include "cli/message.h"

#include <string.h>
#include <sys/stat.h>

int output_path_check(const char *output, const char *used) {
  struct stat a, b;
  if (!output || !used)
    return EXIT_DONE;
  if (strcmp(output, used) != 0 &&
      (stat(output, &a) != 0 || stat(used, &b) != 0 || a.st_dev != b.st_dev || a.st_ino != b.st_ino))
    return EXIT_DONE;
  return fail("%s: cannot be written (the command uses this file already, as %s)", output, used);
}
