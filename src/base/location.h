/*
 * location.h: object locations in one spelling.
 *
 * Iceberg writers spell the same place in several ways (file:/x and
 * file:///x, s3a and s3), so locations are never compared as they come.
 */
#ifndef FLOE_BASE_LOCATION_H
#define FLOE_BASE_LOCATION_H

#include "base/buf.h"

/*
 * Appends the key of a location: scheme in lower case, s3a and s3n as s3,
 * file:/x, file://localhost/x and a bare /x as file:///x, no slash at the end.
 * The path itself is kept byte for byte, as object stores do.
 */
extern bool floe_location_key(FloeBuf *out, const char *location, size_t len);

/* Length of the folder above a key, 0 when there is none ("s3://b/a" -> "s3://b" -> none). */
extern size_t floe_location_parent(const char *key, size_t len);

#endif /* FLOE_BASE_LOCATION_H */
