/* A text that grows: kernels are put together from pieces. */
#ifndef EMU_TEST_TEXT_H
#define EMU_TEST_TEXT_H

struct text {
  char *at;
  unsigned long length, capacity;
};

void text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_free(struct text *text);

#endif
