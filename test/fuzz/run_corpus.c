/*
 * run_corpus.c: main() of a fuzz harness built as a plain program.
 *
 * Runs every file of test/fuzz/corpus/<topic>/ once, where <topic> is what
 * follows the underscore of the program's name; a crash or a sanitizer's
 * report ends the program, which prove reports.
 */
#include "floe.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
run_file(const char *path, int number)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data;
	long size;

	if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0)
	{
		printf("not ok %d - cannot read %s\n", number, path);
		exit(1);
	}
	rewind(file);
	/* exactly as long as the input, so that a read beyond it is seen */
	data = malloc((size_t) size + (size == 0));
	if (data == NULL || fread(data, 1, (size_t) size, file) != (size_t) size)
	{
		printf("not ok %d - cannot read %s\n", number, path);
		exit(1);
	}
	fclose(file);
	LLVMFuzzerTestOneInput(data, (size_t) size);
	free(data);
	printf("ok %d - %s\n", number, path);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	const char *topic = strrchr(argv[0], '_');
	struct dirent **entries;
	char path[4096];
	int count;
	int number = 0;

	if (topic == NULL)
		return 2;
	snprintf(path, sizeof(path), "test/fuzz/corpus/%s", topic + 1);
	count = scandir(path, &entries, NULL, alphasort);
	for (int i = 0; i < count; i++)
	{
		if (entries[i]->d_name[0] != '.')
		{
			snprintf(path, sizeof(path), "test/fuzz/corpus/%s/%s", topic + 1, entries[i]->d_name);
			run_file(path, ++number);
		}
		free(entries[i]);
	}
	if (count < 0 || number == 0)
		printf("not ok %d - no seeds in %s\n", ++number, path);
	else
		free(entries);
	printf("1..%d\n", number);
	return 0;
}
