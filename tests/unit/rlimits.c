/* Limits of the process: lowered and never raised, and named in the words of ulimit. */
#include "rlimits.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static void set(int resource, rlim_t soft, rlim_t hard) {
  cr_assert_eq(setrlimit(resource, &(struct rlimit){soft, hard}), 0, "%s", strerror(errno));
}

static struct rlimit get(int resource) {
  struct rlimit limit;
  cr_assert_eq(getrlimit(resource, &limit), 0);
  return limit;
}

Test(rlimits, are_lowered_to_a_value_below_them) {
  set(RLIMIT_FSIZE, 5000, RLIM_INFINITY);
  cr_assert_eq(rlimits_lower(RLIMIT_FSIZE, 3000), 0);
  cr_expect_eq(get(RLIMIT_FSIZE).rlim_cur, 3000);
  cr_expect_eq(get(RLIMIT_FSIZE).rlim_max, 3000);
}

Test(rlimits, are_never_raised) {
  set(RLIMIT_FSIZE, 1000, 2000);
  cr_assert_eq(rlimits_lower(RLIMIT_FSIZE, 3000), 0);
  cr_expect_eq(get(RLIMIT_FSIZE).rlim_cur, 1000);
  cr_expect_eq(get(RLIMIT_FSIZE).rlim_max, 2000);
  cr_assert_eq(rlimits_lower(RLIMIT_FSIZE, RLIM_INFINITY), 0);
  cr_expect_eq(get(RLIMIT_FSIZE).rlim_max, 2000);
}

Test(rlimits, of_which_only_the_hard_one_is_higher_keep_the_soft_one) {
  set(RLIMIT_FSIZE, 1000, 4000);
  cr_assert_eq(rlimits_lower(RLIMIT_FSIZE, 3000), 0);
  cr_expect_eq(get(RLIMIT_FSIZE).rlim_cur, 1000);
  cr_expect_eq(get(RLIMIT_FSIZE).rlim_max, 3000);
}

Test(rlimits, that_are_set_are_named_in_the_unit_of_people) {
  struct rlimits_text words;
  set(RLIMIT_FSIZE, 20 << 10, RLIM_INFINITY);
  cr_expect(rlimits_name(RLIMIT_FSIZE, &words));
  cr_expect_str_eq(words.text, "the limit of the size of a file (ulimit -f) is 20 KB");
  set(RLIMIT_DATA, (100 << 20) - 1024, RLIM_INFINITY);
  cr_expect(rlimits_name(RLIMIT_DATA, &words));
  cr_expect_str_eq(words.text, "the limit of private memory (ulimit -d) is 102399 KB");
  set(RLIMIT_DATA, 100 << 20, RLIM_INFINITY);
  cr_expect(rlimits_name(RLIMIT_DATA, &words));
  cr_expect_str_eq(words.text, "the limit of private memory (ulimit -d) is 100 MB");
  set(RLIMIT_CPU, 3000, RLIM_INFINITY);
  cr_expect(rlimits_name(RLIMIT_CPU, &words));
  cr_expect_str_eq(words.text, "the limit of CPU time (ulimit -t) is 3000 s");
}

Test(rlimits, that_are_not_set_have_no_name) {
  struct rlimits_text words;
  if (get(RLIMIT_CPU).rlim_cur != RLIM_INFINITY)
    cr_skip_test("the tests themselves run under a limit of CPU time");
  cr_expect(!rlimits_name(RLIMIT_CPU, &words));
  cr_expect_str_eq(words.text, "");
}

Test(rlimits, of_memory_are_named_where_one_is_below_what_is_needed) {
  struct rlimits_text words;
  const rlim_t large = (rlim_t)1 << 46; /* a sanitizer's own memory fits into it */
  if (get(RLIMIT_AS).rlim_cur != RLIM_INFINITY || get(RLIMIT_DATA).rlim_cur != RLIM_INFINITY)
    cr_skip_test("the tests themselves run under a limit of memory");
  cr_expect(!rlimits_name_memory(UINT64_MAX, &words));
  set(RLIMIT_AS, large, RLIM_INFINITY);
  cr_expect(!rlimits_name_memory(large, &words));
  cr_expect(rlimits_name_memory(large + 1, &words));
  cr_expect_str_eq(words.text, "the limit of memory (ulimit -v) is 67108864 MB");
  set(RLIMIT_DATA, large / 2, RLIM_INFINITY);
  cr_expect(rlimits_name_memory(large, &words));
  cr_expect_str_eq(words.text, "the limit of private memory (ulimit -d) is 33554432 MB");
}

Test(rlimits, are_named_behind_the_errno_that_comes_of_them) {
  struct rlimits_text words;
  set(RLIMIT_NOFILE, 40, 60);
  cr_expect_str_eq(rlimits_reason(EMFILE, &words),
                   "Too many open files; the limit of open files (ulimit -n) is 40");
  if (get(RLIMIT_NPROC).rlim_max < 7000 || get(RLIMIT_AS).rlim_cur != RLIM_INFINITY)
    cr_skip_test("the tests themselves run under such limits");
  set(RLIMIT_NPROC, 7000, 7000);
  cr_expect_str_eq(
      rlimits_reason(EAGAIN, &words),
      "Resource temporarily unavailable; the limit of processes and threads (ulimit -u) is 7000");
  cr_expect_str_eq(rlimits_reason(ENOENT, &words), "No such file or directory");
}
