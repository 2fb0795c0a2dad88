--
-- Table names and patterns in text form.
--
\set ECHO none
\i test/regress/lab.sql
\set ECHO all

-- ---- names: parsed, and written in the one form floe shows ----

SELECT name, l.levels, floe_internal.format_name(l.levels) AS shown
FROM (VALUES
	('demo.db.events'), ('demo.a.b.c.events'), ('Demo.DB.Events'), ('demo."db".events'), ('demo."my.db"."a ""table"""'), ('demo."*"."?"'),
	('demo."a,b"."!c"'), ('demo."/x/".t'), ('demo.db."with space"'), ('demo.db.with space'), ('demo.größe.日本語'), ('demo.db.a-b_c$1'), ('demo.db."tab	tab"'), ('demo.db.''x'''),
	('  demo.db.t  '), ('demo."  ".t'), ('demo.db."..."'), ('demo.db."😀"'), ('demo.db.a%b'), ('demo.db.a\b'), ('demo.db."; DROP TABLE x; --"')) AS v (name),
LATERAL (SELECT floe_internal.parse_name(name) AS levels) AS l;

-- what is shown means the same when it is read again, and as a pattern matches just that table
SELECT count(*) AS tried, count(*) FILTER (WHERE floe_internal.parse_name(floe_internal.format_name(l)) <> l) AS changed,
	count(*) FILTER (WHERE floe_internal.match_pattern(floe_internal.check_pattern(floe_internal.format_name(l)), l) IS NULL) AS unmatched,
	count(*) FILTER (WHERE floe_internal.match_pattern(floe_internal.format_name(l), ARRAY['demo', 'db', 'other']) IS NOT NULL) AS too_wide
FROM (SELECT ARRAY['demo', a, b] AS l
	  FROM unnest(ARRAY['x', '*', '?', '**', '/a/', '!x', 'a.b', 'a"b', '"', '""', '.', ',', ' ', ' a ', 'a,b', E'\n', E'\t', '\', '/', '//', '#', '%', 'É', 'É', '日本', '''', '$1', '{}']) AS a,
		   unnest(ARRAY['t', '*', '**', '"', '.', ' ', E'\n', '!', '/.*/', ',']) AS b) AS x;

\pset format unaligned
\pset tuples_only on
SELECT format('%L', name) || ' -> ' || lab.says(format('SELECT floe_internal.parse_name(%L)', name))
FROM (VALUES (1, ''), (2, 'demo'), (3, 'demo.t'), (4, 'demo..t'), (5, '.demo.db.t'), (6, 'demo.db.'), (7, 'demo."db.t'), (8, 'demo.d"b.t'), (9, 'demo."db"x.t'), (10, 'demo."".t'),
	(11, 'demo.db.*'), (12, '**'), (13, 'demo.db.a,demo.db.b'), (14, '!demo.db.t'), (15, 'demo./x/.t'),
	(16, array_to_string(array_fill('x'::text, ARRAY[33]), '.'))) AS v (n, name) ORDER BY n;
SELECT lab.says(format('SELECT floe_internal.parse_name(%L)', 'demo.db.' || repeat('x', 9000))) ~ '^42602: .* is not a table name: ' AS too_long;
SELECT lab.says($$SELECT floe_internal.format_name(ARRAY['a', NULL])$$);
SELECT lab.says($$SELECT floe_internal.format_name(ARRAY[['a', 'b']])$$);
SELECT floe_internal.parse_name(NULL) IS NULL;
\pset tuples_only off
\pset format aligned

-- ---- patterns: what matches, and how specific that is ----

SELECT pattern, name, floe_internal.match_pattern(floe_internal.check_pattern(pattern), floe_internal.parse_name(name)) AS specificity
FROM (VALUES
	(1, '**', 'demo.db.t'), (1, 'demo.**', 'demo.db.t'), (1, 'demo.**', 'prod.db.t'), (1, 'demo.db.*', 'demo.db.t'), (1, 'demo.db.*', 'demo.db.x.t'), (1, 'demo.*.t', 'demo.db.t'),
	(1, 'demo.db.t', 'demo.db.t'), (1, 'demo.db.t', 'demo.db.T'), (1, '**.t', 'demo.a.b.c.t'), (1, '**.db.**', 'demo.db.t'), (1, '**.db.**', 'demo.x.db.t'), (1, 'demo.**.t', 'demo.t.t'),
	(1, '*.*.*', 'demo.db.t'), (1, '**.**', 'demo.db.t'),
	(2, 'demo.db.ev*', 'demo.db.events'), (2, 'demo.db.ev?nts', 'demo.db.events'), (2, 'demo.db.?', 'demo.db.é'), (2, 'demo.db.*a*b*', 'demo.db.xaxbx'), (2, 'demo.db.*a*b*', 'demo.db.xbxax'),
	(2, 'demo.db."*"', 'demo.db.t'), (2, 'demo.db."*"', 'demo.db."*"'), (2, 'demo.db.*', 'demo.db."*"'),
	(3, 'demo.db./^ev/', 'demo.db.events'), (3, 'demo.db./ev.*/', 'demo.db.events'), (3, 'demo.db./ev/', 'demo.db.events'), (3, 'demo.db./a|b/', 'demo.db.b'), (3, 'demo.db./a|b/', 'demo.db.xb'),
	(3, 'demo./(?i)DB/.t', 'demo.db.t'), (3, 'demo.db./[0-9]{4}_[0-9]{2}/', 'demo.db."2026_01"'), (3, 'demo.db./\d+/', 'demo.db.12'),
	(4, 'demo.**, !demo.tmp.**', 'demo.db.t'), (4, 'demo.**, !demo.tmp.**', 'demo.tmp.t'), (4, '!demo.tmp.**, demo.**', 'demo.tmp.t'),
	(4, 'demo.**, demo.db.t', 'demo.db.t'), (4, 'demo.db.a, demo.db.b', 'demo.db.b'), (4, 'demo.db.a,demo.db.b', 'demo.db.c'), (4, 'demo."a,b".*', 'demo."a,b".t')) AS v (part, pattern, name);

-- the order of specificity: more literal levels first
SELECT pattern, floe_internal.match_pattern(pattern, ARRAY['demo', 'db', 'events']) AS specificity
FROM (VALUES ('**'), ('*.*.*'), ('demo.**'), ('demo.*.*'), ('demo.*.events'), ('demo.db.**'), ('demo.db.*'), ('demo.db.e*'), ('demo.db./e.*/'), ('demo.db.events'), ('**.events')) AS v (pattern)
ORDER BY 2, pattern COLLATE "C";

\pset format unaligned
\pset tuples_only on
SELECT format('%L', pattern) || ' -> ' || lab.says(format('SELECT floe_internal.check_pattern(%L)', pattern))
FROM (VALUES (1, ''), (2, '  '), (3, 'demo..t'), (4, 'demo.db.'), (5, 'demo."db.t'), (6, 'demo.db./(/'), (7, 'demo.db./a'), (8, 'demo.db.a**'), (9, ','), (10, 'demo.**,'), (11, '!'), (12, '!!demo.**'),
	(13, 'demo.db./a/b'), (14, 'demo.db.a*"b"'), (15, array_to_string(array_fill('x'::text, ARRAY[33]), '.')), (16, 'demo.db./a{1,2/'), (17, 'demo.db./a)|(b/'), (18, 'demo.db.//'), (19, 'demo.*'), (20, 'demo'), (21, E'demo.a.*,\n\tdemo.b.*'), (22, 'demo.db./x(?i)y/')) AS v (n, pattern) ORDER BY n;
SELECT lab.says(format('SELECT floe_internal.check_pattern(%L)', repeat('a.b.c,', 64) || 'a.b.c'));
SELECT lab.says(format('SELECT floe_internal.check_pattern(%L)', 'demo.' || repeat('x', 9000))) ~ 'is not a pattern: ' AS too_long;
SELECT format('%L', floe_internal.check_pattern(E' \t demo.** , !demo.tmp.** \n'));
-- a regular expression that would take for ever is stopped by the server as any other
SET statement_timeout = '5s';
SELECT floe_internal.match_pattern('demo.db./(a*)*b/', ARRAY['demo', 'db', repeat('a', 40)]) IS NULL;
-- many at a time say the same
WITH pattern AS (
	SELECT array_agg(v.p) AS patterns FROM (VALUES ('demo.db.events'), (NULL), ('demo.**'), ('demo.*.ev*, !demo.db.e?ents'), ('**./ev.*/'), ('other.**')) AS v (p)
), name AS (
	SELECT ARRAY['demo', 'db', 'events'] AS levels UNION ALL SELECT ARRAY['demo', 'x', 'y', 'evening'] UNION ALL SELECT ARRAY['other', 'db', 't'] UNION ALL SELECT ARRAY['none', 'db', 't'] UNION ALL SELECT ARRAY['demo', 'db', 'e.vents']
)
SELECT n.levels, array_agg(ROW(m.place, m.specificity) ORDER BY m.place) FILTER (WHERE m.place IS NOT NULL) AS matches,
	array_agg(ROW(m.place, m.specificity) ORDER BY m.place) FILTER (WHERE m.place IS NOT NULL) IS NOT DISTINCT FROM (
		SELECT array_agg(ROW(x.place::int4, floe_internal.match_pattern(x.p, n.levels)) ORDER BY x.place) FROM unnest(p.patterns) WITH ORDINALITY AS x (p, place)
		WHERE floe_internal.match_pattern(x.p, n.levels) IS NOT NULL) AS one_by_one
FROM pattern AS p CROSS JOIN name AS n LEFT JOIN LATERAL floe_internal.match_patterns(p.patterns, n.levels) AS m ON true
GROUP BY n.levels, p.patterns ORDER BY n.levels;
SELECT * FROM floe_internal.match_patterns('{}', '{demo,db,t}');
SELECT * FROM floe_internal.match_patterns('{demo.**,demo..t}', '{demo,db,t}');
RESET statement_timeout;
\pset tuples_only off
\pset format aligned

-- which catalogs a pattern can be about
SELECT pattern, floe_internal.match_catalog(pattern, 'demo') AS demo, floe_internal.match_catalog(pattern, 'prod') AS prod
FROM (VALUES ('**'), ('demo.**'), ('*.db.t'), ('**.t'), ('d*.db.t'), ('/demo|prod/.x.y'), ('demo.**, !demo.tmp.**'), ('**, !demo.**'), ('demo.a.b, prod.a.b')) AS v (pattern);

-- ---- locations in one spelling ----

SELECT location, floe_internal.location_key(location) AS key, floe_internal.location_prefixes(floe_internal.location_key(location)) AS above
FROM (VALUES ('s3://lake/a/b'), ('s3a://lake/a/b/'), ('s3n://lake//a/./b'), ('S3://lake/A'), ('file:/tmp/x'), ('file:///tmp/x/'), ('/tmp/x'), ('hdfs://nn:8020/w/t'), ('s3://lake'), ('s3://lake/'),
	('gs://b/o%20o'), ('abfss://c@a.dfs.core.windows.net/t'), (''), ('x'), ('s3://lake/a/../b')) AS v (location);
