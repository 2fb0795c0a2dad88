/*
 * file.c: local files, only below the folders that a superuser allowed.
 *
 * A catalog decides what a location says, so a path is a claim from outside:
 * it is resolved first (links included), must then lie below one of the
 * resolved roots, and must be a regular file.
 */
#include "floe.h"

#include "store/job.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE (256 * 1024)

/* Is the resolved path below one of the comma-separated roots? */
static bool
is_allowed(const char *roots, const char *path)
{
	const char *p = roots != NULL ? roots : "";

	while (*p != '\0')
	{
		size_t len;
		char root[PATH_MAX];
		char resolved[PATH_MAX];

		p += strspn(p, ", ");
		len = strcspn(p, ",");
		while (len > 0 && p[len - 1] == ' ')
			len--;
		if (len > 0 && len < sizeof(root) && p[0] == '/')
		{
			memcpy(root, p, len);
			root[len] = '\0';
			if (realpath(root, resolved) != NULL)
			{
				size_t n = strlen(resolved);

				if (n == 1 || (strncmp(path, resolved, n) == 0 && path[n] == '/'))
					return true;
			}
		}
		p += strcspn(p, ",");
	}
	return false;
}

static int
open_allowed(FloeStoreJob *job, const char *path)
{
	char resolved[PATH_MAX];
	int fd;

	if (realpath(path, resolved) == NULL)
	{
		int error = errno;
		FloeCode code = error == ENOENT || error == ENOTDIR ? FLOE_ERR_NOT_FOUND : FLOE_ERR_IO;

		/* outside the roots nobody learns what exists */
		if (is_allowed(job->store->file_roots, path))
			floe_fail_detail(&job->st, code, strerror(error), "cannot read file \"%s\"", job->shown);
		else
			floe_fail(&job->st, FLOE_ERR_DENIED, "file \"%s\" is not below a folder of floe.allowed_file_roots",
					  job->shown);
		return -1;
	}
	if (!is_allowed(job->store->file_roots, resolved))
	{
		floe_fail(&job->st, FLOE_ERR_DENIED, "file \"%s\" is not below a folder of floe.allowed_file_roots",
				  job->shown);
		return -1;
	}
	fd = open(resolved, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	if (fd < 0)
		floe_fail_detail(&job->st, FLOE_ERR_IO, strerror(errno), "cannot open file \"%s\"", job->shown);
	return fd;
}

static bool
read_pieces(FloeStoreJob *job, int fd, const char *path)
{
	size_t total = 0;

	if (job->read.sink != NULL && !job->read.sink(job->read.sink_arg, NULL, 0))
		return floe_fail(&job->st, FLOE_ERR_CANCELLED, "reading file \"%s\" was stopped", job->shown);
	for (;;)
	{
		static char piece[PIECE];
		ssize_t n = read(fd, piece, sizeof(piece));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return floe_fail_detail(&job->st, FLOE_ERR_IO, strerror(errno), "cannot read file \"%s\"", job->shown);
		if (n == 0)
			return true;
		total += (size_t) n;
		if (total > job->read.max_bytes)
			return floe_fail(&job->st, FLOE_ERR_TOO_LARGE, "file \"%s\" is larger than %zu bytes", job->shown,
							 job->read.max_bytes);
		if (job->read.sink != NULL)
		{
			if (!job->read.sink(job->read.sink_arg, piece, (size_t) n))
				return floe_fail(&job->st, FLOE_ERR_CANCELLED, "reading file \"%s\" was stopped", job->shown);
		}
		else if (!floe_buf_append(&job->data, piece, (size_t) n))
			return floe_fail(&job->st, FLOE_ERR_NOMEM, "out of memory for file \"%s\"", job->shown);
	}
}

void
floe_store_file_start(FloeStoreJob *job, const char *path)
{
	int fd = open_allowed(job, path);
	struct stat info;

	if (fd >= 0)
	{
		if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
			floe_fail(&job->st, FLOE_ERR_DENIED, "\"%s\" is not a regular file", job->shown);
		else
		{
			job->size = info.st_size;
			if (!job->read.size_only && info.st_size > (off_t) job->read.max_bytes)
				floe_fail(&job->st, FLOE_ERR_TOO_LARGE, "file \"%s\" is larger than %zu bytes", job->shown,
						  job->read.max_bytes);
			else if (!job->read.size_only)
				read_pieces(job, fd, path);
		}
		close(fd);
	}
	floe_store_finish(job);
}
