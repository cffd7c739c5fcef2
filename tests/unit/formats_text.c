/* Texts: byte order marks, zero bytes, ends of lines. */
#include "formats/text.h"

#include "error.h"
#include "support/folder.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

TestSuite(text, .init = folder_make, .fini = folder_remove);

static void expect_text(const char *bytes, size_t size, const char *wanted) {
  char *text;
  size_t length;
  cr_assert_eq(text_read(folder_write("a", bytes, size), &text, &length), CUSEQ_STATUS_OK, "%s",
               error_text());
  cr_expect_eq(length, strlen(wanted));
  cr_expect_str_eq(text, wanted);
  free(text);
}

static void expect_refused(const char *bytes, size_t size, const char *words) {
  char *text;
  size_t length;
  const char *path = folder_write("a", bytes, size);
  cr_expect_eq(text_read(path, &text, &length), CUSEQ_STATUS_INVALID_FILE);
  cr_expect_null(text);
  cr_expect(strncmp(error_text(), path, strlen(path)) == 0 && strstr(error_text(), words) != NULL,
            "\"%s\" does not say \"%s\"", error_text(), words);
}

Test(text, is_read_whole_and_ends_in_a_zero) {
  expect_text("one\r\ntwo", 8, "one\r\ntwo");
  expect_text("", 0, "");
}

Test(text, loses_one_byte_order_mark_at_its_beginning) {
  expect_text("\xef\xbb\xbf{}", 5, "{}");
  expect_text("\xef\xbb\xbf", 3, "");
  expect_text("\xef\xbb\xbf\xef\xbb\xbfx", 7, "\xef\xbb\xbfx");
  expect_text("{\xef\xbb\xbf}", 5, "{\xef\xbb\xbf}");
  expect_text("\xef\xbb", 2, "\xef\xbb");
}

Test(text, of_another_encoding_is_refused_by_its_name) {
  expect_refused("\xff\xfe{\0}\0", 6, ": UTF-16 (needed UTF-8");
  expect_refused("\xfe\xff\0{\0}", 6, ": UTF-16 (needed UTF-8");
  expect_refused("\xff\xfe", 2, ": UTF-16 (needed UTF-8");
  expect_refused("\xff\xfe\0\0{\0\0\0", 8, ": UTF-32 (needed UTF-8");
  expect_refused("\0\0\xfe\xff\0\0\0{", 8, ": UTF-32 (needed UTF-8");
}

Test(text, with_a_zero_byte_is_refused_by_its_line) {
  expect_refused("\0", 1, ": line 1: not a text (found a zero byte)");
  expect_refused("a\nb\nc\0d\n", 8, ": line 3: not a text (found a zero byte)");
  expect_refused("\xef\xbb\xbf"
                 "a\n\0",
                 6, ": line 2: not a text (found a zero byte)");
}

Test(text, that_is_not_there_is_an_error_that_names_it) {
  char *text;
  size_t length;
  cr_expect_eq(text_read(folder_path("absent"), &text, &length), CUSEQ_STATUS_IO);
  cr_expect_null(text);
  cr_expect(strstr(error_text(), "absent: cannot be opened") != NULL, "%s", error_text());
}

Test(text, lines_end_in_lf_or_crlf_and_have_no_zero_in_them) {
  char line[] = "ab\r\n", bare[] = "\r\n", plain[] = "ab\n", inner[] = "a\rb\n", zero[] = "a\0b\n";
  cr_expect_eq(text_line(line, 3), TEXT_FINE);
  cr_expect_str_eq(line, "ab");
  cr_expect_eq(text_line(bare, 1), TEXT_FINE);
  cr_expect_str_eq(bare, "");
  cr_expect_eq(text_line(plain, 2), TEXT_FINE);
  cr_expect_str_eq(plain, "ab");
  cr_expect_eq(text_line(inner, 3), TEXT_FINE);
  cr_expect_str_eq(inner, "a\rb");
  cr_expect_eq(text_line(zero, 3), TEXT_ZERO);
}
