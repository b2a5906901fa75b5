# ALTER EXTENSION UPDATE: an extension that was updated is the one that is
# installed afresh, object by object.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use LedgerCluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = LedgerCluster->new_server('update');

# Every object of the extension as one line; names instead of OIDs.
my $objects = q{
SET search_path = pg_catalog;
WITH member AS (
	SELECT classid, objid FROM pg_depend
	 WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
	   AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'telco_ledger')),
relation AS (
	SELECT c.* FROM pg_class c JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid)
SELECT 'object ' || pg_describe_object(classid, objid, 0) || coalesce(' -- ' || obj_description(objid, classid::regclass::text), '') FROM member
UNION ALL SELECT 'function ' || pg_get_functiondef(p.oid) || coalesce(p.proacl::text, '')
	FROM pg_proc p JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid WHERE p.prokind = 'f'
UNION ALL SELECT 'aggregate ' || a::text || coalesce(p.proacl::text, '') || p.proparallel::text
	FROM pg_proc p JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid JOIN pg_aggregate a ON a.aggfnoid = p.oid
UNION ALL SELECT 'relation ' || oid::regclass || ' ' || relkind::text || coalesce((SELECT amname FROM pg_am WHERE pg_am.oid = relam), '')
	|| coalesce(relacl::text, '') || coalesce(array_to_string(reloptions, ','), '') FROM relation
UNION ALL SELECT 'view ' || oid::regclass || pg_get_viewdef(oid) FROM relation WHERE relkind = 'v'
UNION ALL SELECT 'column ' || r.oid::regclass || '.' || attname || ' ' || format_type(atttypid, atttypmod) || ' ' || attnotnull || attidentity::text
	|| coalesce(pg_get_expr(adbin, adrelid), '') || coalesce(' -- ' || col_description(r.oid, attnum), '')
	FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND attnum > 0 AND NOT attisdropped
	LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum
UNION ALL SELECT 'position ' || r.oid::regclass || ' ' || string_agg(attname, ',' ORDER BY attnum)
	FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND attnum > 0 AND NOT attisdropped GROUP BY r.oid
UNION ALL SELECT 'index ' || pg_get_indexdef(indexrelid) FROM pg_index JOIN relation r ON r.oid = indrelid
UNION ALL SELECT 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN relation r ON r.oid = conrelid
UNION ALL SELECT 'trigger ' || pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN relation r ON r.oid = tgrelid WHERE NOT tgisinternal
UNION ALL SELECT 'schema ' || nspname || coalesce(nspacl::text, '') FROM pg_namespace n JOIN member m ON m.classid = 'pg_namespace'::regclass AND m.objid = n.oid
UNION ALL SELECT 'dumped ' || c.oid::regclass || ' ' || u.condition
	FROM pg_extension e, unnest(extconfig, extcondition) u(config, condition) JOIN pg_class c ON c.oid = u.config WHERE extname = 'telco_ledger'
ORDER BY 1};

sub database
{
	my ($name, @sql) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $name TEMPLATE template0");
	$node->safe_psql($name, "SET client_min_messages = warning; $_") for @sql;
	return $node->safe_psql($name, $objects);
}

my $fresh = database('fresh', 'CREATE EXTENSION telco_ledger CASCADE');

cmp_ok(() = $fresh =~ /^function /mg, '>', 50, 'the list has the functions');
cmp_ok(() = $fresh =~ /^dumped /mg, '>', 10, 'and what a dump carries');

# The comparison says no to each kind of difference.
my %difference = (
	column => 'ALTER TABLE ledger_internal.block ADD COLUMN more integer',
	privilege => 'GRANT SELECT ON ledger_internal.block TO PUBLIC',
	comment => 'COMMENT ON FUNCTION ledger.tree_head() IS NULL',
	body => 'ALTER FUNCTION ledger.tree_head() COST 7',
	index => 'DROP INDEX ledger_internal.batch_by_height',
	dump => q{UPDATE pg_extension SET extcondition[1] = 'WHERE true' WHERE extname = 'telco_ledger'},
	object => q{DELETE FROM pg_depend WHERE deptype = 'e' AND objid = 'ledger.tree_head'::regproc},
);

for my $kind (sort keys %difference)
{
	isnt(database("other_$kind", 'CREATE EXTENSION telco_ledger CASCADE', $difference{$kind}), $fresh, "a changed $kind is seen");
}

# Every released version, updated.
my @released = split /\n/, $node->safe_psql('postgres', q{
	SELECT source FROM pg_extension_update_paths('telco_ledger') JOIN pg_available_extensions ON name = 'telco_ledger'
	 WHERE target = default_version AND path IS NOT NULL ORDER BY source});
my @scripts = map { m{--([^-/]+)--[^-/]+\.sql$} ? $1 : () } glob("$FindBin::RealBin/../../sql/upgrade/*.sql");

is_deeply([ grep { my $version = $_; !grep { $_ eq $version } @released } @scripts ], [], 'every upgrade script is on a path to the newest version');
for my $version (@released)
{
	my $name = 'from_' . $version =~ s/\W/_/gr;

	is(database($name, "CREATE EXTENSION telco_ledger VERSION '$version' CASCADE", 'ALTER EXTENSION telco_ledger UPDATE'),
		$fresh, "version $version updated is the newest");
}

# A live node goes on meanwhile: an update to the version that is there already.
$node->create_node('update', 'production', 'fresh');
$node->safe_psql('fresh', 'CREATE TABLE cdr (id integer) USING ledger; INSERT INTO cdr VALUES (1); ALTER EXTENSION telco_ledger UPDATE; INSERT INTO cdr VALUES (2)');
$node->wait_final_all('fresh');
$node->verify_clean('a node updates its extension', 'fresh');

$node->stop;
done_testing();
