/*
 * http_options.h: options of a test request, read from jsonb.
 */
#ifndef FLOE_TEST_HTTP_OPTIONS_H
#define FLOE_TEST_HTTP_OPTIONS_H

#include "net/http.h"
#include "utils/jsonb.h"

/* Both leave what is not named as it is. Strings are palloc'ed. */
extern void floe_test_read_engine_options(Jsonb *options, FloeHttpOptions *engine);
extern void floe_test_read_request(Jsonb *options, FloeHttpRequest *request);

extern int64 floe_test_option_int(Jsonb *options, const char *name, int64 otherwise);
extern bool floe_test_option_bool(Jsonb *options, const char *name, bool otherwise);

#endif /* FLOE_TEST_HTTP_OPTIONS_H */
