/*
 * spark_catalog.c: the session settings that define an Iceberg catalog in Spark.
 */
#include "floe.h"

#include "engine/spark_catalog.h"

#include <string.h>

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"
#define MAX_NAME 128

/* What floe decides: a cache would show the engine tables as they were half a minute ago. */
static const FloeKeyValue fixed[] = {
	{".cache-enabled", "false"},
};

bool
floe_conf_add(FloeArena *arena, FloeConfList *conf, const char *key, const char *value, FloeStatus *st)
{
	FloeKeyValue *item;

	if (conf->count == conf->size)
	{
		int size = conf->size == 0 ? 16 : conf->size * 2;
		FloeKeyValue *items = floe_arena_alloc(arena, (size_t) size * sizeof(FloeKeyValue));

		if (items == NULL)
			return floe_fail(st, FLOE_ERR_NOMEM, "out of memory for the settings of a session");
		if (conf->count > 0)
			memcpy(items, conf->items, (size_t) conf->count * sizeof(FloeKeyValue));
		conf->items = items;
		conf->size = size;
	}
	item = &conf->items[conf->count];
	item->key = floe_arena_text(arena, key, strlen(key));
	item->value = floe_arena_text(arena, value, strlen(value));
	item->is_secret = false;
	if (item->key == NULL || item->value == NULL)
		return floe_fail(st, FLOE_ERR_NOMEM, "out of memory for the settings of a session");
	conf->count++;
	return true;
}

bool
floe_spark_catalog_name_check(const char *name, FloeStatus *st)
{
	if (name == NULL || name[0] == '\0' || strlen(name) > MAX_NAME || strspn(name, LETTERS DIGITS "_-") != strlen(name))
		return floe_fail(st, FLOE_ERR_CONFIG,
						 "\"%s\" cannot be the name of a catalog in Spark: letters, digits, \"_\" and \"-\" can",
						 name != NULL ? name : "");
	return true;
}

static bool
check_property(const FloeKeyValue *property, FloeStatus *st)
{
	if (property->key[0] == '\0' || strspn(property->key, LETTERS DIGITS "._-") != strlen(property->key))
		return floe_fail(st, FLOE_ERR_CONFIG, "\"%s\" is no name of a catalog property", property->key);
	if (strcmp(property->key, "catalog-impl") == 0)
		return floe_fail(st, FLOE_ERR_CONFIG, "catalog property \"%s\" cannot be set", property->key);
	if (strcmp(property->key, "type") == 0)
		return floe_fail(st, FLOE_ERR_CONFIG, "catalog property \"%s\" cannot be set", property->key);
	for (size_t i = 0; i < lengthof(fixed); i++)
	{
		if (strcmp(property->key, fixed[i].key + 1) == 0)
			return floe_fail(st, FLOE_ERR_CONFIG, "catalog property \"%s\" cannot be set", property->key);
	}
	if (strstr(property->value, "${") != NULL || strpbrk(property->value, "\r\n") != NULL)
		return floe_fail(st, FLOE_ERR_CONFIG, "catalog property \"%s\" holds a line break or \"${\"", property->key);
	return true;
}

static bool
add_key(FloeArena *arena, FloeConfList *conf, const char *name, const char *dot, const char *key, const char *value,
		FloeStatus *st)
{
	char text[MAX_NAME + 512];

	if (snprintf(text, sizeof(text), "spark.sql.catalog.%s%s%s", name, dot, key) >= (int) sizeof(text))
		return floe_fail(st, FLOE_ERR_CONFIG, "the name of catalog property \"%.64s\" is too long", key);
	return floe_conf_add(arena, conf, text, value, st);
}

bool
floe_spark_catalog_conf(FloeArena *arena, const char *name, const char *type, const FloeKeyValue *properties,
						int nproperties, FloeConfList *conf, FloeStatus *st)
{
	bool has_uri = false;

	if (!floe_spark_catalog_name_check(name, st))
		return false;
	if (!add_key(arena, conf, name, "", "", "org.apache.iceberg.spark.SparkCatalog", st) ||
		!add_key(arena, conf, name, "", ".type", type, st))
		return false;
	for (size_t i = 0; i < lengthof(fixed); i++)
	{
		if (!add_key(arena, conf, name, "", fixed[i].key, fixed[i].value, st))
			return false;
	}
	for (int i = 0; i < nproperties; i++)
	{
		const FloeKeyValue *property = &properties[i];

		if (property->value == NULL || property->value[0] == '\0')
			continue;
		if (!check_property(property, st) || !add_key(arena, conf, name, ".", property->key, property->value, st))
			return false;
		has_uri = has_uri || strcmp(property->key, "uri") == 0;
	}
	if (!has_uri)
		return floe_fail(st, FLOE_ERR_CONFIG, "catalog \"%s\" has no uri to give to the engine", name);
	return true;
}
