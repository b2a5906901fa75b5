# Fetch: what replication does not bring is read from any wire that has it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;
use List::Util qw(max min);
use Time::HiRes qw(usleep);

use LedgerWire;

my $wires = LedgerWire->new(3);
my $nowhere = 'host=/nonexistent dbname=none';

# Members 1 and 2 do not reach each other; 3 has the logs of both.
foreach my $member (1, 2)
{
	$wires->wait_streaming($member, 3);
	$wires->wait_streaming(3, $member);
	$wires->introduce($member, 3 - $member, $nowhere);
}
$wires->insert($_, 3) foreach (1 .. 3);
$wires->agree('who does not reach another reads his log at a third');
is($wires->sql(1, 'SELECT fetched > 0 FROM ledger.peer WHERE member = 2'), 't', 'ledger.peer says that rows were fetched');
is($wires->sql(1, "SELECT log_link <> 'streaming' AND reason IS NOT NULL FROM ledger.peer WHERE member = 2"), 't', 'and why')
  || diag($wires->sql(1, 'SELECT * FROM ledger.peer'));
is($wires->sql(1, 'SELECT count(*) FROM ledger_internal.quarantine'), '0', 'nothing had to be refused');

# An old row may arrive last, as one that was fetched does: it is no head.
my $head = q{SELECT (SELECT key FROM ledger_wire.head WHERE member = 1 ORDER BY key DESC LIMIT 1) = (SELECT ledger_wire.row_key(message) FROM ledger_wire.log_1 ORDER BY 1 DESC LIMIT 1)};
$wires->wire(3, 'INSERT INTO ledger_wire.log_1 (message) SELECT message FROM ledger_wire.log_1 ORDER BY ledger_wire.row_key(message) LIMIT 1');
is($wires->wire(3, $head), 't', 'a wire tells the highest row of a log, and not the last to arrive');
$wires->introduce($_, 3 - $_) foreach (1, 2);
$wires->wait_streaming(1, 2);

# Bodies.  Member 4's wire is a plain server, so that it can hold them back.
my $author = $wires->add_publisher(4);
my @chunks = map { '\\x' . unpack 'H*', "chunk $_ " x 100 } (1 .. 4);
my $zeros = '\\x' . '00' x 32;

my $asked = qr/SELECT DISTINCT ON \(sha256\(chunk\)\)/;	# by who reads chunks in another's wire

$author->{server}->append_conf('postgresql.conf', "log_statement = 'all'");
$author->{server}->reload;
$wires->wait_streaming($_, 4) foreach (1 .. 3);
sub put { my ($member, @chunks) = @_; $wires->wire($member, "INSERT INTO ledger_wire.body_4 (chunk) VALUES ('$_')") foreach (@chunks) }
sub wanted { my ($member) = @_; return $wires->sql($member, 'SELECT count(*) FROM ledger_internal.wanted_chunk') }
sub has { my ($member, $chunk) = @_; return $wires->poll($member, "SELECT count(*) = 1 FROM ledger_internal.peer_body WHERE chunk = '$chunk' AND digest = sha256(chunk)") }

# Sent before the batch that names it, and after it.
$author->sql("INSERT INTO ledger_wire.body_4 (chunk) VALUES ('$chunks[0]')");
$author->publish(kind => 1, payload => $author->batch(1, $zeros, @chunks[ 0, 1 ]));
ok(has(1, $chunks[0]), 'a chunk that came before its batch is kept');
is(wanted(1), '1', 'the other one is wanted');
$author->sql("INSERT INTO ledger_wire.body_4 (chunk) VALUES ('$chunks[1]')");
ok(has($_, $chunks[1]), "and kept at member $_ when it comes") foreach (1 .. 3);
is(wanted(1), '0', 'nothing is wanted any more');

# What a link brings a little later is left to it; where a machine stands still meanwhile,
# it may be asked for.
my $news = '';
for my $number (2 .. 5)
{
	my $late = '\\x' . unpack 'H*', "late $number " x 10000;
	my $from = -s $author->{server}->logfile;

	$author->publish(kind => 1, payload => $author->batch($number, $author->sql("SELECT sha256('')"), $late));
	usleep(100_000);
	$author->sql("INSERT INTO ledger_wire.body_4 (chunk) VALUES ('$late')");
	ok(has($_, $late), "chunk $number comes to member $_") foreach (1 .. 3);
	$news = slurp_file($author->{server}->logfile, $from);
	last if $news !~ $asked;
}
unlike($news, $asked, 'and nobody has asked its author for it');

# A chunk that only a third member's wire has.
$author->publish(kind => 1, payload => $author->batch(6, $author->sql("SELECT sha256('')"), $chunks[2]));
ok($wires->poll(1, 'SELECT count(*) = 1 FROM ledger_internal.wanted_chunk'), 'a chunk that its author holds back is wanted');
put(3, $chunks[2]);
foreach my $member (1, 2)
{
	ok(has($member, $chunks[2]), "member $member has it from the wire of 3");
	ok($wires->poll($member, "SELECT count(*) = 1 FROM ledger_wire.body_4 WHERE chunk = '$chunks[2]' AND audience IS NULL", 't', 'postgres_wire'), 'and shows it in its own');
}

like(slurp_file($author->{server}->logfile), $asked, 'its author was asked for it');

# Sealed, it stays sealed; for whom is said by somebody who may lie.
my @sealed = map { '\\x' . unpack 'H*', "sealed $_ " x 100 } (1, 2);
$wires->wire(3, "INSERT INTO ledger_wire.body_4 (chunk, audience) VALUES ('$sealed[0]', '{1,2}')");
$author->sql('DROP PUBLICATION ledger_body_1, ledger_body_2, ledger_body_3; ALTER TABLE ledger_wire.body_4 ALTER COLUMN audience TYPE text');
$author->sql("INSERT INTO ledger_wire.body_4 (chunk, audience) VALUES ('$sealed[1]', '{nobody}')");
$author->publish(kind => 1, payload => $author->batch(7, $author->sql("SELECT sha256('')"), @sealed));
ok(has(1, $_), 'a sealed chunk is kept') foreach (@sealed);
ok($wires->poll(1, "SELECT audience::text FROM ledger_wire.body_4 WHERE chunk = '$sealed[0]'", '{1,2}', 'postgres_wire'), 'and shown to those whom it is for');
ok($wires->poll(1, 'SELECT count(*) = 0 FROM ledger_internal.fetched_body'), 'nothing waits');
is($wires->wire(1, "SELECT count(*) FROM ledger_wire.body_4 WHERE chunk = '$sealed[1]'"), '0', 'what has no audience that makes sense is shown to nobody');

# Nobody wants what no batch names.
put(1, $chunks[3]);
$author->publish;
$wires->poll(1, "SELECT max(seq) = $author->{seq} FROM ledger_internal.peer_log WHERE member = 4");
is($wires->sql(1, "SELECT count(*) FROM ledger_internal.peer_body WHERE chunk = '$chunks[3]'"), '0', 'a chunk that no batch names is not kept');

# Sealed bodies are read by those whom they name.
$author->sql("INSERT INTO ledger_wire.body_4 (chunk, audience) VALUES ('\\x01', '{1}')");
$wires->wire(3, "INSERT INTO ledger_wire.body_4 (chunk, audience) VALUES ('\\x02', '{1}'), ('\\x03', NULL)");
my $prefix = $wires->sql(1, 'SELECT ledger_internal.wire_prefix()');
foreach (1, 2)
{
	my $seen = $wires->node(3)->safe_psql('postgres_wire', "SET ROLE ${prefix}_$_; SELECT count(*) FROM ledger_wire.body_4 WHERE chunk IN ('\\x02', '\\x03')");

	is($seen, $_ == 1 ? '2' : '1', "role of member $_ reads the chunks for it");
}
foreach my $refused ('INSERT INTO ledger_wire.log_1 (message) VALUES (NULL)', 'DELETE FROM ledger_wire.log_1',
	'TRUNCATE ledger_wire.log_1', 'CREATE TABLE ledger_wire.mine ()', "SELECT setval('ledger_wire.arrival', 1)")
{
	my ($status, $out, $error) = $wires->node(3)->psql('postgres_wire', "SET ROLE ${prefix}_1; $refused");

	like($error, qr/permission denied/, "a peer's role may not: $refused");
}
my ($status, $out, $error) = $wires->node(3)->psql('postgres_wire', 'DELETE FROM ledger_wire.log_1');
like($error, qr/a wire only grows/, 'nor does a superuser by accident');
($status, $out, $error) = $wires->node(3)->psql('postgres_wire', "SET SESSION AUTHORIZATION ${prefix}_1; INSERT INTO ledger_wire.request (message) SELECT '\\x01' FROM generate_series(1, 64)");
is($error, '', 'a peer may ask');
($status, $out, $error) = $wires->node(3)->psql('postgres_wire', "SET SESSION AUTHORIZATION ${prefix}_1; INSERT INTO ledger_wire.request (message) SELECT '\\x01' FROM generate_series(1, 65)");
like($error, qr/64 requests of ${prefix}_1 wait already/, 'but not so many at once');
ok($wires->poll(3, 'SELECT count(*) = 0 FROM ledger_wire.request', 't', 'postgres_wire'), 'what is asked is taken out');

# A place full of rows that are no use, and the good one behind them.
$author->drop_slots($_) foreach (1 .. 3);
my $good = $author->publish(hidden => 1);
$author->sql("INSERT INTO ledger_wire.log_4 (message) SELECT substring('$good'::bytea FOR 29) || sha256(g::text::bytea) FROM generate_series(1, 600) AS g");
$author->send($good);
ok($wires->poll(1, "SELECT max(seq) = $author->{seq} FROM ledger_internal.peer_log WHERE member = 4"), 'a row behind six hundred bad ones is found');

# The loop waits: how often does the process wake in two seconds, and how many hundredths of a
# second does it run?  It asks three peers ten times a second while a link to them does not
# work, and each question and answer wakes it.  A loop that spins wakes thousands of times, or
# runs for all of the two seconds.
sub wakes
{
	$wires->poll(1, "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'telco_ledger wire'");
	my $pid = $wires->wire_pid(1);
	my $wakes = sub { slurp_file("/proc/$pid/status") =~ /^voluntary_ctxt_switches:\s*(\d+)/m; return $1 };
	my $ticks = sub { my @stat = split / /, slurp_file("/proc/$pid/stat") =~ s/.*\) //sr; return $stat[11] + $stat[12] };
	my @before = ($wakes->(), $ticks->());

	usleep(2_000_000);
	return max($wakes->() - $before[0], $ticks->() - $before[1]);
}

SKIP:
{
	skip 'counted in /proc', 3 if !-r "/proc/$$/status";

	# a question that the author answers late
	$author->publish;
	$wires->poll(1, "SELECT max(seq) = $author->{seq} FROM ledger_internal.peer_log WHERE member = 4");
	$author->drop_slots($_) foreach (1 .. 3);
	$author->sql("CREATE OR REPLACE FUNCTION ledger_wire.row_key(message bytea) RETURNS bytea LANGUAGE plpgsql AS 'BEGIN IF session_user <> current_user OR session_user ~ ''^ledger_'' THEN PERFORM pg_sleep(6); END IF; RETURN substring(message FROM 6 FOR 24); END'");
	ok($author->poll("SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND usename = '${prefix}_1'"), 'a question is under way');
	cmp_ok(min(map { wakes() } 1 .. 2), '<', 150, 'and nothing spins meanwhile');
	$author->sql("CREATE OR REPLACE FUNCTION ledger_wire.row_key(message bytea) RETURNS bytea LANGUAGE sql AS 'SELECT substring(message FROM 6 FOR 24)'");

	# no wire of its own, and peers that answer
	$wires->node(1)->append_conf('postgresql.conf', "telco_ledger.wire_conninfo = 'host=/nonexistent dbname=none'");
	$wires->node(1)->restart;
	$wires->poll(1, "SELECT log_link = 'no wire' FROM ledger.peer WHERE member = 2");
	cmp_ok(min(map { wakes() } 1 .. 5), '<', 150, 'nor while the own wire is down');
}

done_testing();
