#ifndef EMU_RUNTIME_KERNEL_H
#define EMU_RUNTIME_KERNEL_H

#include "work.h"

/* What programs register: fat binaries, the kernels and variables in them, and the host symbols that stand
 * for them. A fat binary is read and its PTX parsed when something in it is first used on a device. */

struct emu_image;

struct emu_function {
  const void *symbol; /* the host function that stands for it, NULL for kernels of a library */
  char *name;
  struct emu_image *image;
  struct emu_kernel *kernels[EMU_MAX_DEVICES];
  int max_dynamic_shared; /* 0: what every device allows; set by cudaFuncSetAttribute */
  int carveout, cluster_policy;
  int required_cluster[3];
  bool non_portable_cluster;
  struct emu_function *next;
};

struct emu_variable {
  const void *symbol;
  void **managed; /* the program's pointer to fill in; NULL for other variables */
  char *name;
  struct emu_image *image;
  struct emu_variable *next;
};

/* What an image became on a device: one module, or one for each object that was linked relocatably. */
struct emu_loaded {
  struct emu_module **modules;
  size_t count;
};

struct emu_image {
  const void *data;
  void *owned; /* the same data where it is a copy to be freed */
  struct emu_loaded loaded[EMU_MAX_DEVICES];
  cudaError_t failed[EMU_MAX_DEVICES]; /* why it could not be loaded: said once, answered again */
  struct emu_function *functions;
  struct emu_variable *variables;
  bool lazy;     /* kernels' bodies are parsed when they are needed */
  bool complete; /* all of it is registered */
};

struct emu_image *emu_image_make(const void *data);
void emu_image_delete(struct emu_image *image);
/* Reads and parses the image for a device, unless that was done. */
cudaError_t emu_image_load(struct emu_image *image, int device);
/* In a loaded image; NULL or false if there is none of that name. */
struct emu_kernel *emu_image_kernel(const struct emu_image *image, const char *name, int device);
bool emu_image_variable(const struct emu_image *image, const char *name, int device,
                        struct emu_variable_info *info);
/* The image's kernel of that name, made known if it was not; NULL with status if there is none. */
cudaError_t emu_image_function(struct emu_image *image, const char *name, int device,
                               struct emu_function **function);
/* Forgets what was loaded on a device, as its reset does. */
void emu_images_reset(int device);

/* A registered host function, or a kernel handle. */
cudaError_t emu_function_find(const void *symbol, struct emu_function **function);
cudaError_t emu_function_load(struct emu_function *function, int device, struct emu_kernel **kernel,
                              struct emu_kernel_info *info);
cudaError_t emu_variable_find(const void *symbol, int device, struct emu_variable_info *info);

struct emu_launch_request {
  const void *function;
  dim3 grid, block;
  void **arguments;
  size_t dynamic_shared;
  cudaStream_t stream;
  dim3 cluster; /* 0,0,0: none asked for */
  bool cooperative;
  const char *name;
};
/* Checks a request and makes work of it for a device, without a stream. */
cudaError_t emu_kernel_work(const struct emu_launch_request *request, int device, struct emu_work *work);

/* Releases the image of a fat binary; for tables of live ones. */
extern struct emu_image **emu_images;
extern size_t emu_image_count;

#endif
