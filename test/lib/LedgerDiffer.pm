# Members whose servers differ in what an operator may choose, so that a history
# of calls that ends with equal roots shows that none of it matters.
#
#	my $wires = LedgerWire->new(4, ordered => 1, servers => differing_servers());
#	differ($wires);				once the members are there: settings that would
#								slow down their making
#	differ_tables($wires, 'account');	when a contract has rows: indexes and
#								statistics of one member's own, rows stored in
#								another order
#
# Member 1 has the defaults.  Member 2 speaks German, collates by ICU, writes values
# in other ways, has little memory and few ways to scan and join.  Member 3 collates
# by the C library, plans in parallel, with JIT, and its sessions fire no triggers; what
# the test itself asks there is planned like elsewhere, or it would take minutes.
# Member 4 publishes all tables, cannot afford to read a table from its beginning, and
# runs another major version of PostgreSQL, if newer_server() knows one.  What this
# machine lacks is said by a test that is skipped.
package LedgerDiffer;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Utils;
use Test::More;

use LedgerCluster;

our @EXPORT = qw(differing_servers differ differ_tables);

my @german = (
	q{TimeZone = 'Asia/Tokyo'}, q{DateStyle = 'German'}, q{IntervalStyle = 'sql_standard'}, q{bytea_output = 'escape'},
	'extra_float_digits = -3', q{default_text_search_config = 'pg_catalog.german'}, q{work_mem = '64kB'}, 'hash_mem_multiplier = 1', 'jit = off',
	'enable_indexscan = off', 'enable_hashjoin = off', 'enable_hashagg = off', 'array_nulls = off', 'transform_null_equals = on');
my @parallel = (
	'max_parallel_workers_per_gather = 4', 'parallel_setup_cost = 0', 'parallel_tuple_cost = 0', 'min_parallel_table_scan_size = 0',
	'jit_above_cost = 500', 'jit_inline_above_cost = -1', 'jit_optimize_above_cost = -1', 'enable_nestloop = off',
	'default_statistics_target = 1', q{plan_cache_mode = 'force_custom_plan'}, 'geqo_threshold = 2', 'from_collapse_limit = 1', 'join_collapse_limit = 1');
my @costly = ('jit = off', 'seq_page_cost = 1e6', 'cpu_tuple_cost = 1000', 'random_page_cost = 0', 'enable_sort = off', 'enable_material = off');

sub differing_servers
{
	my $newer = LedgerCluster->newer_server;
	my $locale = german_locale() ? 'de_DE.UTF-8' : 'C';
	my %servers = (
		2 => { initdb => [ "--locale=$locale", '--encoding=UTF8' ] },
		3 => { initdb => [ "--locale=$locale", '--lc-messages=C', '--encoding=UTF8' ] },
		4 => {});

	SKIP:
	{
		skip('no other major version: PG_CONFIG_NEW names its pg_config', 1) if !defined $newer;
		$servers{4}{install_path} = $newer;
		pass("member 4 runs the server in $newer");
	}
	SKIP:
	{
		skip('the server has no ICU', 1) if `pg_config --configure` !~ /--with-icu/;
		push @{ $servers{2}{initdb} }, '--locale-provider=icu', '--icu-locale=de-u-co-phonebk';
		pass('member 2 has a collation of ICU');
	}
	SKIP:
	{
		skip('this machine has no sources of locales', 1) if $locale eq 'C';
		pass('members 2 and 3 have a German locale');
	}
	return \%servers;
}

# Made for the test, since few machines have more than one.
sub german_locale
{
	my $directory = PostgreSQL::Test::Utils::tempdir();

	return 0 if !PostgreSQL::Test::Utils::run_log([ 'localedef', '--no-archive', '-i', 'de_DE', '-f', 'UTF-8', "$directory/de_DE.UTF-8" ]);
	$ENV{LOCPATH} = "$directory:/usr/lib/locale";
	return 1;
}

sub differ
{
	my ($wires) = @_;

	set($wires, 2, @german);
	set($wires, 3, @parallel);
	set($wires, 4, @costly);
	$ENV{PGOPTIONS} = '-c jit=off -c max_parallel_workers_per_gather=0';
	$wires->sql(3, 'ALTER DATABASE postgres SET session_replication_role = replica');
	$wires->sql(4, 'CREATE PUBLICATION everything FOR ALL TABLES');
	return;
}

sub set
{
	my ($wires, $member, @settings) = @_;

	$wires->sql($member, join ";\n", (map { "ALTER SYSTEM SET $_" } @settings), 'SELECT pg_reload_conf()');
	return;
}

# A statement each: several tables locked at once could be a deadlock with a block.
use constant TABLES => q{
SELECT c.oid::regclass, quote_ident(left(c.relname, 50) || '_own'),
       (SELECT string_agg(quote_ident(a.attname) || ' DESC', ', ' ORDER BY a.attnum)
          FROM pg_attribute AS a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
           AND CASE m.amname WHEN 'ledger_state' THEN a.attnum = ANY (SELECT unnest(i.indkey) FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary)
                             ELSE a.atttypid IN ('bigint'::regtype, 'integer'::regtype, 'timestamptz'::regtype) END)
  FROM pg_class AS c JOIN pg_am AS m ON m.oid = c.relam JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE n.nspname = '%s' AND c.relkind = 'r' AND m.amname IN ('ledger', 'ledger_state') ORDER BY 1};

sub differ_tables
{
	my ($wires, $contract) = @_;
	my @tables = map { [ split /\|/ ] } split /\n/, $wires->sql(1, sprintf TABLES, $contract);

	foreach my $table (@tables)
	{
		my ($relation, $index, $columns) = @$table;

		$wires->sql(3, "ANALYZE $relation");
		$wires->sql(4, "VACUUM FULL $relation");
		next if !defined $columns;
		$wires->sql($_, "CREATE INDEX $index ON $relation ($columns)") foreach (2, 3);
		$wires->sql(2, "CLUSTER $relation USING $index");
	}
	return;
}

1;
