/*
 * floe.h: the first include of every .c file in this extension.
 *
 * It owns nothing but the order of things: PostgreSQL's base header, then the
 * few macros the whole tree shares.  Code in base/ and iceberg/ uses postgres.h
 * for its integer types only: it never calls palloc(), ereport() or any other
 * function of the server, so that the same objects run inside the server, in
 * the unit tests and in the fuzzers.
 */
#ifndef FLOE_H
#define FLOE_H

#include "postgres.h"

#include "base/status.h"

#define FLOE_VERSION_STRING "1.0"

/* Raised with every change of the signatures between this library and the SQL of the extension. */
#define FLOE_API_VERSION 2

/* printf checking for floe's own formatting functions */
#define FLOE_PRINTF(fmt, args) __attribute__((format(gnu_printf, fmt, args)))

#endif /* FLOE_H */
