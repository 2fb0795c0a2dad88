/*
 * connect_fixture.h: recorded answers of Spark Connect (test/fixtures/connect) for the unit tests.
 */
#ifndef FLOE_TEST_CONNECT_FIXTURE_H
#define FLOE_TEST_CONNECT_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Fixture
{
	char label[64];
	uint8_t *data;
	size_t len;
} Fixture;

static Fixture fixtures[64];
static int nfixtures;

static void
fixture_load(const char *path)
{
	FILE *file = fopen(path, "r");
	char *line = NULL;
	size_t size = 0;

	if (file == NULL)
	{
		printf("Bail out! cannot read %s\n", path);
		exit(1);
	}
	while (getline(&line, &size, file) > 0)
	{
		size_t n = strspn(line, "0123456789abcdef") / 2;
		Fixture *f;

		if (strncmp(line, "== ", 3) == 0)
			sscanf(line, "== %63s", fixtures[nfixtures++].label);
		else if (n > 0 && nfixtures > 0)
		{
			f = &fixtures[nfixtures - 1];
			/* exactly as long as it is, so that a read beyond it is seen */
			f->data = malloc(n);
			f->len = n;
			for (size_t i = 0; i < n; i++)
			{
				unsigned int value = 0;

				sscanf(line + i * 2, "%2x", &value);
				f->data[i] = (uint8_t) value;
			}
		}
	}
	free(line);
	fclose(file);
}

static void
fixture_free(void)
{
	while (nfixtures > 0)
		free(fixtures[--nfixtures].data);
}

/* By its label; a label that does not exist is a mistake in the test. */
static const Fixture *
fixture(const char *label)
{
	for (int i = 0; i < nfixtures; i++)
	{
		if (strcmp(fixtures[i].label, label) == 0 && fixtures[i].len > 0)
			return &fixtures[i];
	}
	printf("Bail out! no fixture \"%s\"\n", label);
	exit(1);
}

#endif /* FLOE_TEST_CONNECT_FIXTURE_H */
