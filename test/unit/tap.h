/*
 * tap.h: the smallest TAP producer, for the unit tests of base/ and iceberg/.
 *
 * The unit tests run outside the server, under AddressSanitizer and UBSan, so
 * they cannot use pg_regress; prove reads what they print.
 */
#ifndef FLOE_TEST_TAP_H
#define FLOE_TEST_TAP_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int tap_count;
static int tap_failed;

static inline bool
tap_ok(bool ok, const char *file, int line, const char *name)
{
	tap_count++;
	printf("%s %d - %s\n", ok ? "ok" : "not ok", tap_count, name);
	if (!ok)
	{
		tap_failed++;
		printf("#   at %s:%d\n", file, line);
	}
	fflush(stdout);
	return ok;
}

#define ok(cond, ...)                                                                                                  \
	do                                                                                                                 \
	{                                                                                                                  \
		char tap_name[512];                                                                                            \
		snprintf(tap_name, sizeof(tap_name), __VA_ARGS__);                                                             \
		tap_ok((cond), __FILE__, __LINE__, tap_name);                                                                  \
	} while (0)

#define is_int(got, want, ...)                                                                                         \
	do                                                                                                                 \
	{                                                                                                                  \
		long long tap_got = (long long) (got), tap_want = (long long) (want);                                          \
		char tap_name[512];                                                                                            \
		snprintf(tap_name, sizeof(tap_name), __VA_ARGS__);                                                             \
		if (!tap_ok(tap_got == tap_want, __FILE__, __LINE__, tap_name))                                                \
			printf("#   got  %lld\n#   want %lld\n", tap_got, tap_want);                                               \
	} while (0)

#define is_str(got, want, ...)                                                                                         \
	do                                                                                                                 \
	{                                                                                                                  \
		const char *tap_got = (got), *tap_want = (want);                                                               \
		char tap_name[512];                                                                                            \
		snprintf(tap_name, sizeof(tap_name), __VA_ARGS__);                                                             \
		if (!tap_ok((tap_got == NULL) == (tap_want == NULL) && (tap_got == NULL || strcmp(tap_got, tap_want) == 0),    \
					__FILE__, __LINE__, tap_name))                                                                     \
			printf("#   got  %s\n#   want %s\n", tap_got ? tap_got : "(null)", tap_want ? tap_want : "(null)");        \
	} while (0)

/* The last line of main(): prints the plan and gives the exit status. */
static inline int
tap_done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed > 0;
}

#endif /* FLOE_TEST_TAP_H */
