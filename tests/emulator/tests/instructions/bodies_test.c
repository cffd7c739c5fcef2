/* Kernels' bodies that are parsed when they are needed. */
#include "../../core.h"
#include "families.h"
#include "probe.h"

#include <string.h>

static const char text[] =
    ".version 8.6\n.target sm_90\n.address_size 64\n"
    ".visible .entry sound(.param .u64 p) {\n"
    "// a '}' and a \" in a comment end nothing\n"
    ".reg .b32 %r<4>; .shared .b8 s[48];\n"
    "{ .reg .b32 %r<2>; mov.u32 %r1, 1; }\n"
    "mov.u32 %r1, s;\nret;\n}\n"
    ".visible .entry broken(.param .u64 p, .param .u32 n) {\n"
    ".reg .b32 %r<4>;\nmov.u32 %r1, %missing;\nadd %r1 %r2;\nret;\n}\n"
    ".visible .entry keeps(.param .u64 p) {\n"
    ".global .u32 kept[2] = {5, 6};\n.reg .b32 %r<4>;\nld.global.u32 %r1, [kept];\nret;\n}\n";

static struct emu_module *load(const char *ptx, bool lazily, struct emu_error *error) {
  struct emu_module *module = NULL;
  enum emu_status status = emu_module_load(ptx, strlen(ptx), lazily, 0, &module, error);
  return status == EMU_OK ? module : NULL;
}

/* What is wrong in a body is told when its kernel is wanted, as often as it is, and stands in no other's
 * way. */
static void errors_wait_for_their_kernel(void) {
  struct emu_error error = {0}, again = {0};
  struct emu_kernel_info info;
  struct emu_module *module = load(text, false, &error);
  probe_check(!module && strstr(error.text, "PTX line 14:"), "not lazily, a broken body is refused: %s",
              error.text);
  emu_module_unload(module);
  module = load(text, true, &error);
  probe_check(module && emu_module_kernel_count(module) == 3, "lazily, three kernels are there");
  if (!module)
    return;
  struct emu_kernel *broken = emu_module_kernel(module, "broken"),
                    *sound = emu_module_kernel(module, "sound");
  probe_check(emu_kernel_describe(broken, &info, &error) == EMU_ERROR_INVALID_PTX &&
                  strstr(error.text, "PTX line 14:"),
              "a broken body is told when it is wanted: %s", error.text);
  probe_check(emu_kernel_describe(broken, &info, &again) == EMU_ERROR_INVALID_PTX &&
                  !strcmp(error.text, again.text),
              "and told again: %s", again.text);
  probe_check(emu_kernel_describe(sound, &info, &error) == EMU_OK && info.shared_bytes == 48 &&
                  info.parameter_count == 1,
              "another kernel is as it would be: %s", error.text);
  emu_module_unload(module);
}

static void variables_of_the_module_are_laid_out(void) {
  struct emu_error error = {0};
  struct emu_kernel_info info;
  struct emu_variable_info kept = {0};
  struct emu_module *module = load(text, true, &error);
  probe_check(module && emu_module_variable(module, "kept", &kept) && kept.size == 8,
              "a global variable of a body is there before the kernel is");
  probe_check(module && emu_kernel_describe(emu_module_kernel(module, "keeps"), &info, &error) == EMU_OK,
              "and its kernel: %s", error.text);
  emu_module_unload(module);
}

static void a_body_without_an_end_is_refused(void) {
  struct emu_error error = {0};
  char cut[sizeof text];
  memcpy(cut, text, sizeof text);
  *strrchr(cut, '}') = 0;
  struct emu_module *module = load(cut, true, &error);
  probe_check(!module && strstr(error.text, "'}' is needed"), "a body without an end: %s", error.text);
  emu_module_unload(module);
}

void test_bodies(void) {
  errors_wait_for_their_kernel();
  variables_of_the_module_are_laid_out();
  a_body_without_an_end_is_refused();
}
