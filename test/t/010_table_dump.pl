# pg_dump and restore: refs, table ids and definitions are what they were; the
# restored database is no node, so nothing but restored rows comes in.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use LedgerCluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = LedgerCluster->new_node('dump');
my $dump = $node->basedir . '/dump.sql';

# What must be the same in both databases.
my $all_rows = q{SELECT 'cdr', id, v, w, ledger_ref FROM cdr UNION ALL
	SELECT tableoid::regclass::text, id, v, NULL, ledger_ref FROM p ORDER BY ledger_ref};
my $all_ids = 'SELECT relation, table_id FROM ledger_internal.ledger_table ORDER BY relation::text';
my $all_versions = 'SELECT * FROM ledger.table_version ORDER BY ledger_ref';
my $all_parents = 'SELECT relation FROM ledger_internal.ledger_parent ORDER BY relation::text';

$node->safe_psql('postgres', q{
	CREATE TABLE cdr (id integer PRIMARY KEY, v text) USING ledger;
	INSERT INTO cdr SELECT n, 'row ' || n FROM generate_series(1, 100) AS n;
	ALTER TABLE cdr ADD COLUMN w integer DEFAULT 7;
	INSERT INTO cdr (id, v) VALUES (101, 'later');
	CREATE TABLE p (id integer, v text) PARTITION BY LIST (id) USING ledger;
	CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
	CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2);
	INSERT INTO p VALUES (1, 'a'), (2, 'b');
});
command_ok([ 'pg_dump', '--file', $dump, $node->connstr('postgres') ], 'dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored TEMPLATE template0');
command_ok([ 'psql', '--no-psqlrc', '--quiet', '--set', 'ON_ERROR_STOP=1', '--file', $dump, $node->connstr('restored') ],
	'restore');

for my $query ($all_rows, $all_ids, $all_versions, $all_parents)
{
	my $expected = $node->safe_psql('postgres', $query);

	isnt($expected, '', 'there is something to compare');
	is($node->safe_psql('restored', $query), $expected, "the same in both: $query");
}
is($node->safe_psql('restored', q{SELECT count(*) FROM pg_index AS i JOIN pg_attribute AS a
		ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
		WHERE i.indrelid = 'cdr'::regclass AND a.attname = 'ledger_ref'}), '1', 'one index on ledger_ref');

# Rows of one's own need a node; restored rows need the owner.
my ($status, $stdout, $stderr) = $node->psql('restored', 'INSERT INTO cdr (id) VALUES (200)');
like($stderr, qr/this database is a copy of a ledger node/, 'no new rows before it resumes');
$node->safe_psql('restored', 'CREATE ROLE stranger; GRANT INSERT ON cdr TO stranger; GRANT USAGE ON SCHEMA ledger TO stranger');
($status, $stdout, $stderr) = $node->psql('restored', q{SET ROLE stranger; INSERT INTO cdr (id, ledger_ref) VALUES (200, '1.0.5.1')});
like($stderr, qr/cannot insert into ledger table "cdr"/, 'a stranger restores nothing');
($status, $stdout, $stderr) = $node->psql('restored', q{UPDATE cdr SET v = 'x'});
like($stderr, qr/cannot update ledger table "cdr"/, 'restored rows are as firm as others');
($status, $stdout, $stderr) = $node->psql('restored', 'CREATE TABLE p3 PARTITION OF p FOR VALUES IN (3) USING heap');
like($stderr, qr/partitions of "p" must be ledger tables/, 'the partitioned table is still known');

$node->stop;
done_testing();
