/*
 * process.c: what the tests count to see that nothing leaks.
 */
#include "floe.h"

#include "fmgr.h"
#include "storage/fd.h"

#include <dirent.h>
#include <malloc.h>

PG_FUNCTION_INFO_V1(floe_test_fd_count);
PG_FUNCTION_INFO_V1(floe_test_thread_count);
PG_FUNCTION_INFO_V1(floe_test_malloc_bytes);
PG_FUNCTION_INFO_V1(floe_test_external_fds_left);

static int
entries(const char *path)
{
	DIR *dir = opendir(path);
	int count = 0;

	if (dir == NULL)
		elog(ERROR, "could not open \"%s\": %m", path);
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
}

Datum
floe_test_fd_count(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(entries("/proc/self/fd") - 3); /* ".", ".." and the descriptor that reads them */
}

Datum
floe_test_thread_count(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(entries("/proc/self/task") - 2);
}

Datum
floe_test_malloc_bytes(PG_FUNCTION_ARGS)
{
	struct mallinfo2 info = mallinfo2();

	PG_RETURN_INT64((int64) (info.uordblks + info.hblkhd));
}

Datum
floe_test_external_fds_left(PG_FUNCTION_ARGS)
{
	int left = 0;

	while (AcquireExternalFD())
		left++;
	for (int i = 0; i < left; i++)
		ReleaseExternalFD();
	PG_RETURN_INT32(left);
}
