# A publisher that lies: at most its link stops, nothing wrong is kept, and the
# rows that it has signed in order arrive all the same.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerWire;

my $wires = LedgerWire->new(2);
my $liar = $wires->add_publisher(3);
my $log = 'ledger_wire.log_3';

$wires->wait_streaming(1, 2);
$wires->wait_streaming(1, 3);

# What member 1 keeps of the liar is what it has signed, up to its last row.
sub heals
{
	my ($name) = @_;

	$liar->publish;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok( $wires->poll(1, "SELECT max(seq) = $liar->{seq} AND count(*) = max(seq) FROM ledger_internal.peer_log WHERE member = 3"),
		"$name: its signed rows are all here")
	  || diag($wires->sql(1, 'SELECT * FROM ledger.peer'));
	is($wires->sql(1, "SELECT log_link = 'streaming' FROM ledger.peer WHERE member = 2"), 't', 'and the link to an honest one streams');
	return;
}

sub refused
{
	my ($reason) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($wires->poll(1, "SELECT count(*) > 0 FROM ledger_internal.quarantine WHERE member = 3 AND reason LIKE '$reason'"), "refused: $reason");
	return;
}

sub stops
{
	my ($name, $before) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($wires->poll(1, "SELECT stops > $before FROM ledger.peer WHERE member = 3"), "$name stops the link");
	return;
}

sub stop_count { return $wires->sql(1, 'SELECT stops FROM ledger.peer WHERE member = 3') }

heals('an honest beginning');
my $process = $wires->wire_pid(1);
is($wires->sql(1, "SELECT verdict, kind FROM ledger.message WHERE member = 3 LIMIT 1"), 'kept|ACK', 'ledger.message shows it');

# Bytes that are no row, in the stream.
$liar->sql("INSERT INTO $log (message) SELECT sha256(g::text::bytea) || repeat('x', 200)::bytea FROM generate_series(1, 5) AS g");
refused('no log row: %');
my ($message) = $liar->row;
$liar->send(substr($message, 0, -2) . (substr($message, -2) eq '00' ? '01' : '00'));
refused('the signature is not valid');
$liar->send($wires->sql(2, 'SELECT message FROM ledger_internal.own_log ORDER BY seq LIMIT 1'));
refused('row of member 2 in the log of another');
my ($unchained) = $liar->row(previous => '\\x' . '11' x 32);
$liar->send($unchained);
refused('does not name the row before');
heals('garbage');
is($wires->sql(1, 'SELECT quarantined >= 8 FROM ledger.peer WHERE member = 3'), 't', 'ledger.peer counts what was refused');

# Two rows for one place: evidence, and the first stays.
my ($other) = $liar->row(seq => 1, previous => '\\x' . '00' x 32, payload => '\\x77');
$liar->send($other);
ok($wires->poll(1, 'SELECT count(*) = 1 FROM ledger_internal.contradiction WHERE member = 3 AND seq = 1'), 'a contradiction is kept as evidence');
is($wires->sql(1, "SELECT count(*) FROM ledger.message WHERE member = 3 AND seq = 1 AND verdict = 'contradicts'"), '1', 'and shown');
heals('a contradiction');

# The same row twice in one read.
my $twice = $liar->publish(hidden => 1);
$liar->sql("INSERT INTO $log (message) VALUES ('$twice'), ('$twice')");
heals('the same row twice');
is($wires->sql(1, 'SELECT count(*) = 1 FROM ledger_internal.contradiction WHERE member = 3'), 't', 'which is no contradiction');

# A signed row that has no place in a log.
my ($outside) = $liar->row(seq => 0, kind => 13, previous => '\\x' . '00' x 32);
$liar->send($outside);
refused('the row has no place in a log');
heals('a row without a place');

# What is kept was lost here: who sends it again is refused, and nothing ends.
my $second = $wires->sql(1, 'SELECT message FROM ledger_internal.peer_log WHERE member = 3 AND seq = 2');
$wires->sql(1, 'CREATE TABLE lost AS SELECT * FROM ledger_internal.peer_log WHERE member = 3 AND seq = 2; DELETE FROM ledger_internal.peer_log WHERE member = 3 AND seq = 2');
$liar->send($second);
refused('the row that is kept in its place cannot be read');
$wires->sql(1, 'INSERT INTO ledger_internal.peer_log SELECT * FROM lost');
heals('a kept row that was lost');

# A digest with two sizes: the one that the chunk does not have is never here.
my $chunk = '\\x' . '5a' x 50;
my $zeros = '\\x' . '00' x 32;
my $digest = '\\x' . '11' x 32;
$liar->sql("INSERT INTO ledger_wire.body_3 (chunk) VALUES ('$chunk')");
$liar->publish(kind => 1, payload => $liar->batch(1, $zeros, $chunk));
ok($wires->poll(1, "SELECT count(*) = 1 FROM ledger_internal.peer_body WHERE chunk = '$chunk'"), 'a chunk is kept');
$liar->publish(kind => 1, payload => $liar->batch(2, $digest, [ $chunk, 51 ]));
$liar->publish(kind => 1, payload => $liar->batch(3, $digest, [ '\\x77', 1 ], [ '\\x77', 2 ]));
$liar->sql("INSERT INTO ledger_wire.body_3 (chunk) VALUES ('\\x77')");
ok($wires->poll(1, "SELECT count(*) = 1 FROM ledger_internal.peer_body WHERE chunk = '\\x77'"), 'and another one');
is($wires->sql(1, "SELECT string_agg(batch || ':' || size, ' ' ORDER BY batch) FROM ledger_internal.wanted_chunk WHERE member = 3"),
	'2:51 3:2', 'but not under a size that it does not have');
heals('sizes that are not true');

# A flood of garbage leaves a ring, and others are read in their turn.
$liar->sql("INSERT INTO $log (message) SELECT sha256(g::text::bytea) || repeat('y', 200)::bytea FROM generate_series(1, 3000) AS g");
$wires->insert(2, 1);
ok($wires->poll(1, 'SELECT max(number) >= 3000 FROM ledger_internal.quarantine'), 'a flood is read');
is($wires->sql(1, 'SELECT count(*) FROM ledger_internal.quarantine'), '1024', 'and leaves a bounded ring');
heals('a flood');

# What the server itself refuses stops the link.
my $before = stop_count();
$liar->sql("INSERT INTO $log (message) VALUES ('\\x00')");
stops('a row that is too short', $before);
heals('a short row');

$before = stop_count();
$wires->wait_streaming(1, 3);
$liar->sql("INSERT INTO $log (message) SELECT convert_to(repeat('z', 100000000), 'UTF8')");
stops('a row of 100 MB', $before);
heals('a huge row');
is($wires->wire(1, "SELECT count(*) FROM $log WHERE octet_length(message) > 20000000"), '0', 'it is not in the own wire');

$before = stop_count();
$wires->wait_streaming(1, 3);
my $arrived = $wires->wire(1, "SELECT count(*) FROM $log");
$liar->sql("ALTER PUBLICATION ledger_log SET (publish = 'insert, update, delete, truncate'); ALTER TABLE $log REPLICA IDENTITY FULL");
$liar->sql("CREATE TEMP TABLE saved AS SELECT message FROM $log; TRUNCATE $log; INSERT INTO $log (message) SELECT message FROM saved");
stops('TRUNCATE', $before);
heals('TRUNCATE');
cmp_ok($wires->wire(1, "SELECT count(*) FROM $log"), '>=', $arrived, 'the own wire has lost nothing');

$before = stop_count();
$wires->wait_streaming(1, 3);
$liar->sql("ALTER PUBLICATION ledger_log SET TABLE $log");
$liar->sql("UPDATE $log SET message = message WHERE arrival = (SELECT min(arrival) FROM $log)");
stops('UPDATE', $before);
$liar->sql("DELETE FROM $log WHERE arrival = (SELECT min(arrival) FROM $log WHERE octet_length(message) > 1000000)");
heals('UPDATE and DELETE');
$liar->sql("ALTER PUBLICATION ledger_log SET TABLE $log (message)");

# Chunks are numbered where they arrive.
$before = stop_count();
$wires->wait_streaming(1, 3);
$liar->sql('ALTER PUBLICATION ledger_body_1 SET TABLE ledger_wire.body_3 (arrival, chunk, audience)');
$liar->sql("INSERT INTO ledger_wire.body_3 (arrival, chunk) VALUES (7, '\\x78')");
stops('a chunk with a number', $before);
heals('a chunk with a number');
is($wires->wire(1, "SELECT count(*) FROM ledger_wire.body_3 WHERE chunk = '\\x78'"), '0', 'it is not in the own wire');
$liar->sql('ALTER PUBLICATION ledger_body_1 SET TABLE ledger_wire.body_3 (chunk, audience)');

# A slot that is gone and comes back without what was in between.
$liar->drop_slots(1);
$liar->publish foreach (1 .. 3);
$liar->make_slots(1);
heals('a dropped slot');

# Another table list is refused before anything is enabled.
$liar->sql('CREATE TABLE ledger_wire.log_2 (message bytea); ALTER PUBLICATION ledger_log ADD TABLE ledger_wire.log_2');
$wires->wire(1, 'ALTER SUBSCRIPTION log_3 DISABLE; ALTER SUBSCRIPTION log_3 SET (slot_name = NONE); DROP SUBSCRIPTION log_3');
ok($wires->poll(1, "SELECT log_link = 'refused' AND reason LIKE 'the peer publishes %log_2%' FROM ledger.peer WHERE member = 3"), 'a publication with a foreign table is refused')
  || diag($wires->sql(1, 'SELECT * FROM ledger.peer'));
is($wires->wire(1, "SELECT count(*) FROM pg_subscription WHERE subname = 'log_3'"), '0', 'and nothing of it is left');
heals('a foreign table');
$liar->sql('ALTER PUBLICATION ledger_log DROP TABLE ledger_wire.log_2');
$wires->wait_streaming(1, 3);

is($wires->wire(1, "SELECT count(*) FROM pg_roles WHERE rolname = '$liar->{prefix}_apply' AND rolsuper"), '0', 'the role of the subscriptions is no superuser');
is($wires->sql(1, 'SELECT count(*) FROM ledger_internal.peer_log AS l WHERE NOT ledger.schnorr_verify(digest, substring(message FROM octet_length(message) - 63), (SELECT row_key FROM ledger_internal.peer AS p WHERE p.member = l.member))'),
	'0', 'everything that is kept is signed');
is($wires->wire_pid(1), $process, 'the process of the wire has never ended');
$wires->agree('the honest members agree', 1, 2);

done_testing();
