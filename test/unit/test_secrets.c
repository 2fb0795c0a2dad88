/*
 * test_secrets.c: which settings are secrets, and that they do not show.
 */
#include "floe.h"

#include "engine/secrets.h"

#include "tap.h"

static void
test_secrets(void)
{
	static const struct
	{
		const char *key;
		bool is_secret;
	} keys[] = {
		{"spark.sql.catalog.demo.credential", true},
		{"spark.sql.catalog.demo.token", true},
		{"spark.sql.catalog.demo.s3.secret-access-key", true},
		{"spark.sql.catalog.demo.s3.access-key-id", true},
		{"spark.sql.catalog.demo.header.Authorization", true},
		{"spark.hadoop.fs.s3a.SECRET.key", true},
		{"fs.azure.account.key.store.dfs.core.windows.net", true},
		{"spark.sql.catalog.demo.adls.auth.shared-key.account.key", true},
		{"spark.sql.catalog.demo.uri", false},
		{"spark.sql.catalog.demo.s3.endpoint", false},
	};
	FloeKeyValue conf[] = {{"x.credential", "id:s3cret"}, {"x.token-refresh-enabled", "true"}, {"x.uri", "plain"}};
	FloeEngineTarget target = {.password = "pass", .token = "passport", .session_conf = conf, .nsession_conf = 3};
	FloeSecrets secrets;
	FloeStatus st;
	FloeBuf buf;
	char text[64] = "pass passport id:s3cret s3cret true pas";
	char small[8] = "xpassx";
	char full[24] = "the password was id:s3c";
	char echo[] = "ends with s3crets", all[] = "ends with s3crets";
	FloeMaskItem again = {"s3crets", 7};

	for (size_t i = 0; i < lengthof(keys); i++)
		ok(floe_secret_is_key(keys[i].key) == keys[i].is_secret, "%s is %sa secret", keys[i].key,
		   keys[i].is_secret ? "" : "not ");
	ok(floe_secrets_collect(&secrets, &target, &st) && secrets.count == 4, "secrets are collected");
	floe_buf_init(&buf, 1000);
	floe_secrets_append(&secrets, &buf, text, strlen(text));
	is_str(buf.data, "*** *** *** *** true pas", "and masked, the longest first");
	floe_secrets_mask(&secrets, text, sizeof(text));
	is_str(text, buf.data, "also in place");
	floe_secrets_mask(&secrets, small, 4);
	is_str(small, "x**", "what does not fit is cut");
	floe_secrets_mask(&secrets, full, sizeof(full));
	is_str(full, "the ***word was ", "half a secret at the end of a full buffer is dropped");
	floe_mask_text(&again, 1, echo, sizeof(echo));
	is_str(echo, "ends with ***",
		   "a whole secret at the end of a full buffer is masked, also one that ends as it begins");
	floe_mask_text(&again, 1, all, sizeof(all) + 100);
	is_str(all, echo, "as in one that is not full");
	floe_buf_free(&buf);
}

/* What comes from a secret option is one under any key; the short ones would blot out innocent text. */
static void
test_marked(void)
{
	FloeKeyValue conf[] = {
		{"x.header.X-Tenant", "tenant", true}, {"x.custom", "abc", true}, {"x.plain", "shown", false}};
	FloeEngineTarget target = {.session_conf = conf, .nsession_conf = 3};
	FloeSecrets secrets;
	FloeStatus st;
	char text[64] = "tenant abc shown";

	ok(floe_secrets_collect(&secrets, &target, &st), "marked settings are collected");
	floe_secrets_mask(&secrets, text, sizeof(text));
	is_str(text, "*** abc shown", "and masked, but for short ones");
}

int
main(void)
{
	test_secrets();
	test_marked();
	return tap_done();
}
