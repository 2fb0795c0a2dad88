/*
 * avro_fixture.h: the tables under test/fixtures/avro, for the tests of manifests and health.
 *
 * A file is read into memory of exactly its size, so that AddressSanitizer
 * sees a read of one byte too many.
 */
#ifndef FLOE_TEST_AVRO_FIXTURE_H
#define FLOE_TEST_AVRO_FIXTURE_H

#include "base/json.h"
#include "iceberg/health.h"
#include "iceberg/manifest.h"

#include <stdio.h>
#include <stdlib.h>

#include "tap.h"

#define FIXTURES "test/fixtures/avro"

typedef struct Bytes
{
	char *data;
	size_t len;
} Bytes;

static inline Bytes
read_fixture(const char *table, const char *name)
{
	Bytes bytes = {NULL, 0};
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), FIXTURES "/%s/%s", table, name);
	file = fopen(path, "rb");
	if (file == NULL)
	{
		printf("Bail out! cannot open %s\n", path);
		exit(1);
	}
	fseek(file, 0, SEEK_END);
	bytes.len = (size_t) ftell(file);
	bytes.data = malloc(bytes.len > 0 ? bytes.len : 1);
	rewind(file);
	if (fread(bytes.data, 1, bytes.len, file) != bytes.len)
	{
		printf("Bail out! cannot read %s\n", path);
		exit(1);
	}
	fclose(file);
	return bytes;
}

/* An integer of the expected answers; null and missing are -1. */
static inline int64_t
json_int(FloeJson object, const char *key)
{
	int64_t value;

	return floe_json_int(floe_json_field(object, key), &value) ? value : -1;
}

/* The last part of a path. */
static inline const char *
file_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* A test point about something that fills a status when it fails. */
static inline bool
went_well(bool done, const FloeStatus *st, const char *table, const char *what)
{
	ok(done, "%s: %s", table, what);
	if (!done)
		printf("#   %s: %s\n", floe_code_name(st->code), st->message);
	return done;
}

static inline FloeHealthOptions
fixture_options(FloeJson expected)
{
	FloeJson options = floe_json_field(expected, "options");

	return (FloeHealthOptions){
		.target_file_bytes = json_int(options, "target_file_bytes"),
		.bounds = {json_int(options, "small_file_below"), json_int(options, "oversized_above")},
		.min_input_files = json_int(options, "min_input_files"),
		.target_manifest_bytes = json_int(options, "target_manifest_bytes"),
	};
}

#endif /* FLOE_TEST_AVRO_FIXTURE_H */
