/*
 * resolver.c: names that resolve badly, for the server under test.
 *
 * A shared object for LD_PRELOAD: getaddrinfo() answers a few names of the
 * reserved domain "test" by itself and passes everything else on.
 *
 *	hang.test       is not answered within ten seconds
 *	metadata.test   169.254.169.254
 *	mixed.test      169.254.169.254, then 127.0.0.1
 *	good.test       127.0.0.1, after a tenth of a second
 *
 * Every lookup is counted in the file named by RESOLVER_LOG, one line each.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef int (*GetAddrInfo)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static void
count(const char *node)
{
	const char *path = getenv("RESOLVER_LOG");
	char line[300];
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;

	if (fd < 0)
		return;
	strncpy(line, node, sizeof(line) - 2);
	line[sizeof(line) - 2] = '\0';
	strcat(line, "\n");
	if (write(fd, line, strlen(line)) < 0)
		abort();
	close(fd);
}

static void
pause_ms(long ms)
{
	struct timespec time = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&time, NULL);
}

int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
	GetAddrInfo real = (GetAddrInfo) dlsym(RTLD_NEXT, "getaddrinfo");
	size_t len = node ? strlen(node) : 0;
	int rc;

	if (len < 5 || strcmp(node + len - 5, ".test") != 0)
		return real(node, service, hints, result);
	count(node);
	if (strcmp(node, "hang.test") == 0)
	{
		pause_ms(10000);
		return EAI_AGAIN;
	}
	if (strcmp(node, "metadata.test") == 0)
		return real("169.254.169.254", service, hints, result);
	if (strcmp(node, "mixed.test") == 0)
	{
		rc = real("169.254.169.254", service, hints, result);
		return rc != 0 ? rc : real("127.0.0.1", service, hints, &(*result)->ai_next);
	}
	if (strcmp(node, "good.test") == 0)
	{
		pause_ms(100);
		return real("127.0.0.1", service, hints, result);
	}
	return EAI_NONAME;
}
