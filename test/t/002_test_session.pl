# The session that tests run their statements in says what a psql for each would, and
# leaves what that would leave.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use LedgerCluster;
use LedgerSession;
use Test::More;

my $node = LedgerCluster->new_server('server', preload => 0);

sub psql { return $node->PostgreSQL::Test::Cluster::psql('postgres', @_) }
sub told { return join "\n--\n", map { s/<stdin>:\d+/<stdin>:1/gr } @_ }

# Both begin with the same, and must leave the same behind.
sub compare
{
	my ($script) = @_;
	my @ends;

	foreach my $run (\&psql, sub { return $node->psql('postgres', @_) })
	{
		psql('DROP TABLE IF EXISTS t, made; CREATE TABLE t AS SELECT 1 AS a');
		my @said = $run->($script);
		push @ends, told(@said, psql(q{SELECT string_agg(a::text, ',' ORDER BY a), to_regclass('made') FROM t}));
	}
	return is($ends[1], $ends[0], $script =~ s/\s+/ /gr);
}

my @kept = (
	q{SELECT 1.50::float8, 1e20::float8, 0.1::float4, 'NaN'::float8, 1.500::numeric, 5::int2, -7::int8, true, NULL, ''},
	q{SELECT 0.1::float8 + 0.2, 1 / 3::float8, pi(), 'Infinity'::float8, '-Infinity'::float4, 'NaN'::float4, (1 / 3::float4)::float4, -1e-7::float8, 0::float8},
	q{SELECT '\x00ff'::bytea, ARRAY['\x01'::bytea, NULL], ARRAY[true, false], ARRAY['a b', 'c,d'], 'a'::char(4), 'x'::name},
	q{SELECT '{"a": 1}'::jsonb, '2026-01-01'::date, '1 day'::interval, ROW(1, 'a', NULL), 'pg_class'::regclass, B'101', '{}'::text[]},
	q{SELECT}, q{SELECT FROM generate_series(1, 2)}, q{SELECT pg_sleep(0)}, q{VALUES (1), (2);}, q{SELECT 1 WHERE false},
	q{SELECT 'é', 'a;b', $q$ x;'y $q$ -- it's; a
; SELECT 4 /* it's; */, 4 / 2, - 1},
	q{BEGIN; CREATE TABLE made (a int); INSERT INTO t VALUES (2) RETURNING a; TABLE t; COMMIT},
	q{INSERT INTO t VALUES (2); SELECT 1 / 0; INSERT INTO t VALUES (3)},
	q{BEGIN; INSERT INTO t VALUES (2)}, q{BEGIN; SELECT 1 / 0}, q{SELECT nothing FROM t}, q{DELETE FROM t},
	q{DO $$ BEGIN RAISE NOTICE 'of; %', 1; RAISE WARNING 'w' USING detail = 'd', hint = 'h'; END $$});
my @own = (q{\echo a}, q{SELECT 1 \gset}, q{SET work_mem = '1MB'}, q{SELECT set_config('work_mem', '1MB', false)}, q{CREATE TEMP TABLE made (a int)},
	q{PREPARE p AS SELECT 1}, q{COPY t TO STDOUT}, q{SELECT pg_advisory_lock(1)}, q{DO $$ BEGIN SET work_mem = '1MB'; END $$}, q{DO $$ BEGIN ALTER ROLE CURRENT_USER SET maintenance_work_mem = '2MB'; END $$}, q{SELECT pg_backend_pid() IS NULL}, q{nonsense}, q{SELECT 'open}, q{SELECT $$ open}, q{SELECT E'it\'s; a'}, '');

foreach my $script (@kept)
{
	ok(scalar(LedgerSession::statements($script)), 'in the session that is kept:');
	compare($script);
}
foreach my $script (@own)
{
	is(scalar(my @statements = LedgerSession::statements($script)), 0, 'by a psql of its own:');
	compare($script);
}

my $pid = q{SELECT pid FROM pg_stat_activity WHERE query LIKE '%session that is kept%' ORDER BY backend_start DESC LIMIT 1};

is($node->safe_psql('postgres', $pid), $node->safe_psql('postgres', $pid), 'it is the same one each time');
$node->safe_psql('postgres', 'ALTER SYSTEM SET work_mem = 12345; SELECT pg_reload_conf()');
ok($node->poll_query_until('postgres', q{SELECT setting FROM pg_settings WHERE name = 'work_mem'}, '12345'), 'it is another one where new sessions have other settings');
$node->safe_psql('postgres', 'CREATE DATABASE made TEMPLATE postgres');
pass('it is not in the way of who wants the database alone');
$node->restart;
is($node->safe_psql('postgres', 'SELECT 1'), '1', 'the server may start again');
psql(q{SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()});
is($node->safe_psql('postgres', 'SELECT 1'), '1', 'or end a session');
$node->stop;
my @ends = map { told($_->('SELECT 1')) } (\&psql, sub { return $node->psql('postgres', @_) });
is($ends[1], $ends[0], 'a server that does not answer is no different');

done_testing();
