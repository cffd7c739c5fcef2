/* An HDF5 file that is open on a descriptor, whether or not it has a name that could be opened. */
#ifndef CUSEQ_FORMATS_HDF5_IMAGE_H
#define CUSEQ_FORMATS_HDF5_IMAGE_H

#include <hdf5.h>
#include <stddef.h>

/* Opens the HDF5 file of `size` bytes that the descriptor is open on, for reading. It is mapped, so that
 * its bytes count once against a limit of memory, and stays so until the process ends; one file a process.
 * Negative on failure, where HDF5's error stack, or errno ENOMEM, tells why. */
hid_t image_open(int descriptor, size_t size);

#endif
