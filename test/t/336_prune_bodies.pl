# Bodies of applied batches are dropped everywhere, and made again from the tables
# for who lacks them: a member that joins later gets every row, verification and
# receipts know no difference.  What cannot be made again stays.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerContract;
use LedgerWire;

my $conf = "telco_ledger.keep_bodies = 0\n";
my $wires = LedgerWire->new(2, ordered => 1, conf => $conf);

# Bodies of rows: the source of the contract, which is kept, is no row.
my $bodies = q{SELECT count(*) FROM (SELECT digest FROM ledger_internal.own_body UNION ALL SELECT digest FROM ledger_internal.peer_body) AS b
 WHERE NOT EXISTS (SELECT FROM ledger_internal.ordered_chunk AS o WHERE o.digest = b.digest)};
my $notices = q{SELECT md5(string_agg(notice::text, ',' ORDER BY ledger_ref)) FROM roaming.notice};

sub everybody
{
	my ($what, $query, @who) = @_;
	my @late = grep { !$wires->poll($_, $query) } @who;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is("@late", '', $what) || diag(map { "member $_\n" . $wires->sql($_, 'SELECT * FROM ledger.peer') . "\n" . $wires->sql($_, 'SELECT * FROM ledger.status') . "\n" } @late);
}

# A superuser changes something past the library.
sub past
{
	my ($member, $sql) = @_;

	return $wires->sql($member, "SET allow_system_table_mods = on; BEGIN; $sql; COMMIT");
}

sub tamper
{
	my ($member, $ref) = @_;
	my $relam = "UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname = 'heap') WHERE oid = 'roaming.notice'::regclass";

	return past($member, "$relam; UPDATE roaming.notice SET body = 'changed' WHERE ledger_ref = '$ref'; " . ($relam =~ s/'heap'/'ledger'/r));
}

$wires->announce($_) foreach (1, 2);
deploy($wires, 1, 'roaming', $roaming);
approve($wires, 'roaming', 2);
everybody('a contract is deployed', q{SELECT state = 'deployed' FROM ledger.contract WHERE name = 'roaming'}, 1, 2);

# Rows of both: small ones and large ones (none the same, as chunks that two batches name
# stay: 338), some in a batch with private rows, and one that all members refuse, as a
# superuser's session has got around its rule.
foreach my $member (1, 2)
{
	$wires->sql($member, "INSERT INTO roaming.notice SELECT '$member: ' || repeat('x', n) FROM generate_series(1, 20) AS n");
	$wires->sql($member, "BEGIN; INSERT INTO cdr VALUES (1), (2); INSERT INTO roaming.notice VALUES ('$member: mixed'); COMMIT");
	$wires->sql($member, "INSERT INTO roaming.notice SELECT string_agg(md5('$member ' || n * k), '') FROM generate_series(1, 3) AS n, generate_series(1, 40000) AS k GROUP BY n");
}
my $relchecks = "UPDATE pg_class SET relchecks = 0 WHERE oid = 'roaming.usage'::regclass";
my $refused = past(2, "$relchecks; INSERT INTO roaming.usage (served, started, seconds) VALUES ('12345', '2026-01-01', 1), ('12345', '2026-01-01', -1), ('12345', '2026-01-01', 2); " . ($relchecks =~ s/= 0/= 1/r));
my $last = $wires->sql(2, "INSERT INTO roaming.notice VALUES ('last') RETURNING ledger_ref");

everybody('rows are everywhere', "SELECT coalesce((SELECT ledger.is_final('$last') FROM roaming.notice WHERE ledger_ref = '$last'), false) AND (SELECT count(*) = 49 FROM roaming.notice)", 1, 2);

# They go, in the databases and in the wires.
everybody('no body is kept in a database', ($bodies =~ s/count\(\*\)/count(*) = 0/r), 1, 2)
  || diag(map { $wires->sql($_, 'SELECT (SELECT height FROM ledger_internal.applied), (SELECT max(height) FROM ledger_internal.checkpoint), (SELECT body_height FROM ledger_internal.pruned)') . "\n" } (1, 2));
foreach my $member (1, 2)
{
	# the source twice, if it was fetched while it came
	ok($wires->poll($member, 'SELECT (SELECT count(DISTINCT sha256(chunk)) FROM ledger_wire.body_1) = 1 AND (SELECT count(*) FROM ledger_wire.body_2) = 0', 't', LedgerWire::WIRE), "nor in the wire of member $member");
	is($wires->sql($member, q{SELECT * FROM ledger.verify(mode => 'full')}), '', 'nothing is wrong');
	is($wires->sql($member, "SELECT bool_and((ledger.verify_receipt(ledger.receipt('roaming.notice', ledger_ref))).valid) FROM roaming.notice WHERE ledger.member(ledger_ref) = $member AND length(body) < 100"), 't', 'receipts of old rows hold');
}

# So do votes in views in which nobody votes any more; the log has them still.
everybody('old votes go', 'SELECT (SELECT min(view) FROM ledger_internal.own_vote) > (SELECT min(view) FROM ledger_internal.own_log WHERE kind IN (4, 5, 6))', 1, 2);

# Only who owns the wire can have it forget, and nothing but bodies.
like(($wires->node(1)->psql(LedgerWire::WIRE, 'DELETE FROM ledger_wire.log_1'))[2], qr/is refused: a wire only grows/, 'a wire loses nothing else');
like(($wires->node(1)->psql(LedgerWire::WIRE, 'SET ROLE ' . $wires->sql(1, 'SELECT ledger_internal.wire_role(2)') . '; SELECT ledger_wire.forget_bodies(1, ARRAY[1])'))[2], qr/permission denied/, 'and nothing for a peer');

# A row is changed before its body was dropped: the body stays.
my $log = $wires->node(1)->logfile;

$wires->sql(1, 'ALTER SYSTEM SET telco_ledger.keep_bodies = -1');
$wires->sql(1, 'SELECT pg_reload_conf()');
my $late = $wires->sql(1, "INSERT INTO roaming.notice VALUES ('late') RETURNING ledger_ref");
my $rest = $wires->sql(2, "INSERT INTO roaming.notice VALUES ('rest') RETURNING ledger_ref");

everybody('rows more', "SELECT ledger.height('$_') IS NOT NULL AND EXISTS (SELECT FROM roaming.notice WHERE ledger_ref = '$_')", 1, 2) foreach ($late, $rest);
everybody('and a checkpoint', "SELECT EXISTS (SELECT FROM ledger_internal.checkpoint WHERE height >= greatest(ledger.height('$late'), ledger.height('$rest')))", 1, 2);
is($wires->sql(1, $bodies), '2', 'whoever keeps bodies keeps them');
tamper(1, $late);
$wires->sql(1, 'ALTER SYSTEM RESET telco_ledger.keep_bodies');
$wires->sql(1, 'SELECT pg_reload_conf()');
ok($wires->poll(1, $bodies, '1'), 'one goes');
like(slurp_file($log), qr/the body of batch \d+ of member 1 in block \d+ is kept, as it could not be made again/, 'and the server says why the other one does not');

# A row is changed whose body has gone: this member cannot make it again, the other
# one does.  So a newcomer gets all of it.
my $changed = $wires->sql(1, "SELECT min(ledger_ref) FROM roaming.notice WHERE body = '2: x'");

tamper(1, $changed);
my $new = $wires->add_newcomer(conf => $conf);

$wires->invite($_, $new) foreach (2, 1);	# so that it may read both wires
$wires->join($new);
everybody('the newcomer has the last row', "SELECT EXISTS (SELECT FROM roaming.notice WHERE ledger_ref = '$rest')", $new);
is($wires->sql($new, $notices), $wires->sql(2, $notices), 'and all others, as they were');
is($wires->sql($new, 'SELECT ref, sqlstate FROM ledger.rejected'), $wires->sql(2, 'SELECT ref, sqlstate FROM ledger.rejected'), 'and refusals');
isnt($wires->sql($new, 'SELECT ref FROM ledger.rejected'), '', 'of which there is one');
is($wires->sql($new, q{SELECT * FROM ledger.verify(mode => 'full')}), '', 'it finds nothing wrong');

# Whoever asks the member who cannot is told nothing, and the server says why; what is
# no question is passed over.
$wires->wire(1, "INSERT INTO ledger_wire.request (message) VALUES ('\\x02'), ('\\x0200'), (decode(repeat('02', 8001), 'hex')), ('\\x02'::bytea || sha256('no batch')), ('\\x02'::bytea || '" . $wires->sql(1, "SELECT digest FROM ledger_internal.foreign_batch JOIN ledger_internal.foreign_rows AS r USING (height, batch) WHERE r.first_ref <= '$changed' AND r.last_ref >= '$changed'") . "')");
ok($wires->poll(1, "SELECT pg_read_file('$log') ~ 'the body of batch \\d+ of member 2 is asked for and cannot be made again'"), 'what was changed is not made again');
is($wires->wire(1, 'SELECT count(*) FROM ledger_wire.request'), '0', 'and no question waits');

# The log says so once, however often it is asked.
my $question = sub { return "INSERT INTO ledger_wire.request (message) VALUES ('\\x02'::bytea || '" . $wires->sql(1, "SELECT digest FROM ledger_internal.foreign_batch JOIN ledger_internal.foreign_rows AS r USING (height, batch) WHERE r.first_ref <= '$_[0]' AND r.last_ref >= '$_[0]'") . "')" };
my $asked = sub {
	$wires->wire(1, $question->($_[0]));
	$wires->poll(1, 'SELECT count(*) FROM ledger_wire.request', '0', LedgerWire::WIRE);
	return $wires->poll(1, 'SELECT count(*) FROM ledger_internal.asked_body', $_[1]);
};
ok($asked->($changed, 0), 'it is asked again') foreach (1, 2);
is(scalar(() = slurp_file($log) =~ /LOG:  the body of batch \d+ of member 2 is asked for and cannot/g), 1, 'and said that once');

# Rows that are locked are made again when they are not.  A worker that begins does not
# know what the one before has made.
{
	my $worker = $wires->node(1)->worker_pid;

	$wires->sql(1, "SELECT pg_terminate_backend($worker, 60000)");
	$wires->wire(1, 'DELETE FROM ledger_wire.rebuilt');
	my $session = $wires->node(1)->background_psql('postgres');

	$session->query_safe('BEGIN; LOCK TABLE roaming.notice');
	ok($asked->($rest, 1), 'its rows are locked: the question waits');
	$session->quit;
	ok($wires->poll(1, 'SELECT count(*) FROM ledger_internal.asked_body', '0'), 'until they are not');
	ok($wires->poll(1, 'SELECT count(*) > 0 FROM ledger_wire.rebuilt', 't', LedgerWire::WIRE), 'and the body is made');
	is(scalar(() = slurp_file($log) =~ /LOG:  the body of batch \d+ of member 2 is asked for and cannot/g), 1, 'of which the log says nothing');
}

# More wait to be shown than the worker makes at a time: it goes on when they are shown.
{
	my $worker = $wires->node(1)->worker_pid;

	$wires->sql(1, "SELECT pg_terminate_backend($worker, 60000)");
	$wires->wire(1, 'DELETE FROM ledger_wire.rebuilt');
	ok($wires->poll(1, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'telco_ledger worker' AND pid <> $worker AND state = 'idle'", '1'), 'the next worker is there, and has nothing to do');
	my $digest = $wires->sql(1, "SELECT f.digest FROM ledger_internal.foreign_batch AS f JOIN ledger_internal.foreign_rows AS r USING (height, batch) WHERE r.first_ref <= '$rest' AND r.last_ref >= '$rest'");

	$wires->sql(1, qq{BEGIN;
		INSERT INTO ledger_internal.rebuilt_body (digest, chunk) SELECT sha256(n::text::bytea), n::text::bytea FROM generate_series(1, 300) AS n;
		INSERT INTO ledger_internal.asked_body (batch_digest) VALUES ('$digest'); COMMIT});
	$wires->wire(1, "INSERT INTO ledger_wire.request (message) VALUES ('\\x02'::bytea || sha256('no batch'))");
	ok($wires->poll(1, 'SELECT count(*) FROM ledger_internal.asked_body', '0'), 'a question that had to wait is answered');
	ok($wires->poll(1, 'SELECT count(*) = 0 FROM ledger_internal.rebuilt_body'), 'and all is shown');
	ok($wires->poll(1, 'SELECT count(*) > 300 FROM ledger_wire.rebuilt', 't', LedgerWire::WIRE), 'with the body that was asked for');
}

# What was made again goes in the end, also where bodies are kept.
$wires->sql(1, 'ALTER SYSTEM SET telco_ledger.keep_bodies = -1');
$wires->sql(1, 'SELECT pg_reload_conf()');
$wires->wire(1, q{UPDATE ledger_wire.rebuilt SET made_at = made_at - interval '11 minutes'});
$wires->restart_wire(1);
ok($wires->poll(1, 'SELECT count(*) FROM ledger_wire.rebuilt', '0', LedgerWire::WIRE), 'what was made again for others goes');
$wires->sql(1, 'ALTER SYSTEM RESET telco_ledger.keep_bodies');
$wires->sql(1, 'SELECT pg_reload_conf()');

# It is a member like any other, and drops them likewise.
$wires->admit([$new], 1, 2);
everybody('the members change', 'SELECT ledger_internal.epoch_now() = 1', 1, 2, $new);
everybody('no body is kept there', ($bodies =~ s/count\(\*\)/count(*) = 0/r), $new);

# A chunk that was here when its batch came, and has gone when that is to be applied,
# as an older batch had it too: it is asked for once more.
{
	my $worker = $wires->node(2)->worker_pid;

	kill 'STOP', $worker;
	my $ref = $wires->sql($new, "INSERT INTO roaming.notice VALUES ('gone') RETURNING ledger_ref");

	ok($wires->poll(2, 'SELECT max(height) > (SELECT height FROM ledger_internal.applied) FROM ledger_internal.block'), 'a block waits to be applied');
	isnt($wires->sql(2, 'WITH gone AS (DELETE FROM ledger_internal.peer_body RETURNING digest) SELECT count(*) FROM gone'), '0', 'and its body goes');
	kill 'CONT', $worker;
	everybody('it comes again', "SELECT EXISTS (SELECT FROM roaming.notice WHERE ledger_ref = '$ref')", 2);
}

# Killed while it drops them, again and again: what was kept is whole.
foreach my $turn (1, 2)
{
	$wires->sql($new, "INSERT INTO roaming.notice SELECT 'turn $turn ' || repeat(md5(n::text), 1000) FROM generate_series(1, 300) AS n");
	$wires->node(2)->poll_query_until('postgres', "SELECT count(*) = 300 FROM roaming.notice WHERE body LIKE 'turn $turn %'");
	$wires->node(2)->kill9_worker;
}
everybody('they go all the same', ($bodies =~ s/count\(\*\)/count(*) = 0/r), 2, $new);
everybody('with every row in its place', q{SELECT count(*) = 652 FROM roaming.notice}, 2, $new);
is($wires->sql($_, q{SELECT * FROM ledger.verify(mode => 'full')}), '', "member $_ finds nothing wrong") foreach (2, $new);

done_testing();
