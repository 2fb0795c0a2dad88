/*
 * hs2_fixture.h: recorded HiveServer2 exchanges (test/fixtures/hs2) for the unit tests.
 */
#ifndef FLOE_TEST_HS2_FIXTURE_H
#define FLOE_TEST_HS2_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Fixture
{
	char label[64];
	char method[64];
	int32_t sequence; /* of the message */
	uint8_t *request;
	size_t request_len;
	uint8_t *response;
	size_t response_len;
} Fixture;

static Fixture fixtures[128];
static int nfixtures;

static uint8_t *
fixture_bytes(const char *hex, size_t *len)
{
	size_t n = strspn(hex, "0123456789abcdef") / 2;
	uint8_t *bytes = malloc(n + 1);

	for (size_t i = 0; i < n; i++)
	{
		unsigned int value = 0;

		sscanf(hex + i * 2, "%2x", &value);
		bytes[i] = (uint8_t) value;
	}
	*len = n;
	return bytes;
}

/* Adds the exchanges of a file to the set; ends the program when it cannot be read. */
static void
fixture_load(const char *path)
{
	FILE *file = fopen(path, "r");
	char *line = NULL;
	size_t size = 0;
	Fixture *f = NULL;

	if (file == NULL)
	{
		printf("Bail out! cannot read %s\n", path);
		exit(1);
	}
	while (getline(&line, &size, file) > 0)
	{
		if (line[0] == '#' || line[0] == '\n')
			continue;
		if (strncmp(line, "== ", 3) == 0)
		{
			f = &fixtures[nfixtures++];
			sscanf(line, "== %63s %63s", f->label, f->method);
		}
		else if (f != NULL && f->request == NULL)
		{
			f->request = fixture_bytes(line, &f->request_len);
			/* behind the version, the name and its length; all recorded numbers fit in a byte */
			f->sequence = f->request[8 + strlen(f->method) + 3];
		}
		else if (f != NULL)
			f->response = fixture_bytes(line, &f->response_len);
	}
	free(line);
	fclose(file);
}

static void
fixture_free(void)
{
	for (int i = 0; i < nfixtures; i++)
	{
		free(fixtures[i].request);
		free(fixtures[i].response);
	}
	nfixtures = 0;
}

/* By its label; a label that does not exist is a mistake in the test. */
static const Fixture *
fixture(const char *label)
{
	for (int i = 0; i < nfixtures; i++)
	{
		if (strcmp(fixtures[i].label, label) == 0)
			return &fixtures[i];
	}
	printf("Bail out! no fixture \"%s\"\n", label);
	exit(1);
}

#endif /* FLOE_TEST_HS2_FIXTURE_H */
