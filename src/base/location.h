/*
 * location.h: object locations in one spelling.
 *
 * Iceberg writers spell the same place in several ways (file:/x and
 * file:///x, s3a and s3), so locations are never compared as they come.
 */
#ifndef FLOE_BASE_LOCATION_H
#define FLOE_BASE_LOCATION_H

#include "base/buf.h"
#include "base/status.h"

/*
 * Appends the key of a location: scheme in lower case, s3a and s3n as s3,
 * gcs as gs, abfs, wasb and wasbs as abfss with the host of the Data Lake,
 * file:/x, file://localhost/x and a bare /x as file:///x, no slash at the end.
 * The path itself is kept byte for byte, as object stores do.
 */
extern bool floe_location_key(FloeBuf *out, const char *location, size_t len);

/* Length of the folder above a key, 0 when there is none ("s3://b/a" -> "s3://b" -> none). */
extern size_t floe_location_parent(const char *key, size_t len);

/*
 * Is it below one of a comma-separated list of locations, whole folders and
 * whole buckets?  Never with "." or ".." in its path, which some stores
 * resolve, and in URLs never with these, or slashes, percent-encoded.
 */
extern bool floe_location_is_below(const char *location, const char *list);

/* Are all of such a list locations that something can be below? */
extern bool floe_location_check_list(const char *list, FloeStatus *st);

#endif /* FLOE_BASE_LOCATION_H */
