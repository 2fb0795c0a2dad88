/*
 * floor.c: the same requests with libcurl and nothing else, the floor that floe's figures are held against.
 *
 *   floor BASE-URL TABLES NAMESPACES IN-FLIGHT
 *
 * Loads every table once and keeps the ETags (as a first assessment would),
 * waits for a line on its input, and loads every table again with
 * If-None-Match.  After each it prints one line of JSON: seconds, CPU seconds
 * of its own, answers by status.  Bodies are received and forgotten.  Table
 * names are those of catalog.py.
 */
#include <curl/curl.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define ETAG_SIZE 64

typedef struct Slot
{
	CURL *easy;
	struct curl_slist *headers;
	int table;
} Slot;

typedef struct Floor
{
	const char *base;
	int tables;
	int namespaces;
	int next; /* table to be asked for */
	char (*etags)[ETAG_SIZE];
	long loaded;
	long unchanged;
	long failed;
} Floor;

static Floor run;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static double
cpu(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double) (u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double) (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static size_t
on_body(char *data, size_t size, size_t n, void *arg)
{
	return size * n;
}

static size_t
on_header(char *data, size_t size, size_t n, void *arg)
{
	Slot *slot = arg;
	size_t len = size * n;

	if (len > 6 && len - 6 < ETAG_SIZE && strncasecmp(data, "etag: ", 6) == 0)
		snprintf(run.etags[slot->table], ETAG_SIZE, "%.*s", (int) strcspn(data + 6, "\r\n"), data + 6);
	return len;
}

/* false: every table was asked for */
static bool
start(CURLM *multi, Slot *slot)
{
	char text[300];

	if (run.next >= run.tables)
		return false;
	slot->table = run.next++;
	snprintf(text, sizeof(text), "%s/v1/namespaces/ns%03d/tables/t%06d", run.base, slot->table % run.namespaces,
			 slot->table);
	curl_easy_setopt(slot->easy, CURLOPT_URL, text);
	curl_slist_free_all(slot->headers);
	slot->headers = NULL;
	if (run.etags[slot->table][0] != '\0')
	{
		snprintf(text, sizeof(text), "If-None-Match: %s", run.etags[slot->table]);
		slot->headers = curl_slist_append(NULL, text);
	}
	curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, slot->headers);
	curl_multi_add_handle(multi, slot->easy);
	return true;
}

static void
count(CURLMsg *message)
{
	long status = 0;

	curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);
	if (message->data.result != CURLE_OK || (status != 200 && status != 304))
		run.failed++;
	else if (status == 304)
		run.unchanged++;
	else
		run.loaded++;
}

/* Every table once; prints what it took. */
static void
load_all(CURLM *multi, Slot *slots, int nslots)
{
	double begun = now();
	double cpu_before = cpu();
	int busy = 0;

	run.next = 0;
	run.loaded = run.unchanged = run.failed = 0;
	for (int i = 0; i < nslots; i++)
		busy += start(multi, &slots[i]) ? 1 : 0;
	while (busy > 0)
	{
		CURLMsg *message;
		int left;

		curl_multi_perform(multi, &left);
		while ((message = curl_multi_info_read(multi, &left)) != NULL)
		{
			CURL *easy = message->easy_handle;
			Slot *slot = NULL;

			count(message);
			curl_multi_remove_handle(multi, easy);
			curl_easy_getinfo(easy, CURLINFO_PRIVATE, &slot);
			if (!start(multi, slot))
				busy--;
		}
		if (busy > 0)
			curl_multi_poll(multi, NULL, 0, 1000, NULL);
	}
	printf("{\"seconds\": %.3f, \"cpu_seconds\": %.3f, \"status_200\": %ld, \"status_304\": %ld, \"failed\": %ld}\n",
		   now() - begun, cpu() - cpu_before, run.loaded, run.unchanged, run.failed);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	CURLM *multi;
	Slot *slots;
	int nslots;
	char line[16];

	if (argc != 5)
	{
		fprintf(stderr, "usage: floor BASE-URL TABLES NAMESPACES IN-FLIGHT\n");
		return 2;
	}
	run.base = argv[1];
	run.tables = atoi(argv[2]);
	run.namespaces = atoi(argv[3]);
	nslots = atoi(argv[4]);
	run.etags = calloc((size_t) run.tables, ETAG_SIZE);
	slots = calloc((size_t) nslots, sizeof(Slot));
	curl_global_init(CURL_GLOBAL_DEFAULT);
	multi = curl_multi_init();
	for (int i = 0; i < nslots; i++)
	{
		slots[i].easy = curl_easy_init();
		curl_easy_setopt(slots[i].easy, CURLOPT_PRIVATE, &slots[i]);
		curl_easy_setopt(slots[i].easy, CURLOPT_WRITEFUNCTION, on_body);
		curl_easy_setopt(slots[i].easy, CURLOPT_HEADERFUNCTION, on_header);
		curl_easy_setopt(slots[i].easy, CURLOPT_HEADERDATA, &slots[i]);
	}
	load_all(multi, slots, nslots);
	while (fgets(line, sizeof(line), stdin) != NULL)
		load_all(multi, slots, nslots);
	for (int i = 0; i < nslots; i++)
		curl_easy_cleanup(slots[i].easy);
	curl_multi_cleanup(multi);
	return run.failed == 0 ? 0 : 1;
}
