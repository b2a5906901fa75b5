# A participant has rows on the ledger and no vote; an observer reads what is
# public, verifies it, and has neither.  Members make one of the other by vote.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerContract;
use LedgerWire;

my $wires = LedgerWire->new(2, ordered => 1);
my ($participant, $observer) = map { $wires->add_newcomer } (1, 2);
my @all = (1, 2, $participant, $observer);
my @with_rows = (1, 2, $participant);

sub in_epoch
{
	my ($epoch) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($wires->poll($_, 'SELECT ledger_internal.epoch_now()', $epoch), "epoch $epoch begins at member $_") foreach (@all);
	return;
}

# The first proposes, the others approve when they have heard.
sub decide
{
	my ($call, $first, @others) = @_;
	my $motion = $wires->sql($first, "SELECT $call");

	foreach my $member (@others)
	{
		$wires->poll($member, "SELECT EXISTS (SELECT FROM ledger.motion WHERE motion = '$motion')");
		$wires->sql($member, "SELECT $call");
	}
	return $motion;
}

sub rows_of
{
	my ($name, $table, @who) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	foreach my $member (@who)
	{
		my $ref = $wires->sql($member, "INSERT INTO $table VALUES ($member) RETURNING ledger_ref");

		like($wires->sql($member, "SELECT ledger.wait_final('$ref', '170 s')"), qr/^\d+$/, "$name: a row of member $member is final");
	}
	return;
}

sub kinds { my ($member) = @_; return $wires->sql($member, "SELECT string_agg(kind, ' ' ORDER BY member) FROM ledger.member WHERE state = 'member'") }

$wires->announce(1);
foreach my $new ($participant, $observer)
{
	$wires->invite(1, $new);
	$wires->join($new);
}
is($wires->sql($observer, 'SELECT kind IS NULL FROM ledger.status'), 't', 'who was not admitted yet is of no kind');
my ($names, $prints) = map { 'ARRAY[' . join(',', @$_) . ']' } ([ map { "'member$_'" } $participant, $observer ], [ map { "'" . $wires->fingerprint($_) . "'" } $participant, $observer ]);
my $addresses = 'ARRAY[' . join(',', map { "'" . $wires->address($_) . "'" } $participant, $observer) . ']';

refused($wires, 1, "SELECT ledger.admit($names, $prints, $addresses, ARRAY['participant'])", qr/each new member needs a name and a fingerprint.*kinds unless all are validators/s, 'one kind for two is refused');
refused($wires, 1, "SELECT ledger.admit($names, $prints, $addresses, ARRAY['participant', 'guest'])", qr/unknown kind of member "guest"/, 'a kind that is none');
my $motion = $wires->sql(1, "SELECT ledger.admit($names, $prints, $addresses, ARRAY['participant', 'observer'])");
ok($wires->poll(2, "SELECT EXISTS (SELECT FROM ledger.motion WHERE motion = '$motion')"), 'it is proposed');
is($wires->sql(2, "SELECT changes FROM ledger.motion WHERE motion = '$motion'"),
	'{"member3 is member 3, participant, key ' . $wires->fingerprint($participant) . ', roles: none","member4 is member 4, observer, key ' . $wires->fingerprint($observer) . ', roles: none"}', 'as what they come can be read');
refused($wires, 2, "SELECT ledger.admit($names, $prints)", qr/nobody has proposed that yet.*member3 is member 3, participant/s, 'who approves of validators does not approve of that');
$wires->sql(2, "SELECT ledger.admit($names, $prints, kinds => ARRAY['participant', 'observer'])");
in_epoch(1);
is(kinds($_), 'validator validator participant observer', "member $_ knows who is what") foreach (@all);
is($wires->sql($_->[0], 'SELECT kind FROM ledger.status'), $_->[1], "and what it is: $_->[1]") foreach ([ 1, 'validator' ], [ $participant, 'participant' ], [ $observer, 'observer' ]);
is($wires->sql($_, 'SELECT ledger_internal.quorum()'), '2', "a quorum is two, says member $_") foreach (@all);

# Rows of the participant are final everywhere, the shared ones in their tables.
deploy($wires, 1, 'note', 'CREATE TABLE memo (id bigint CHECK (id < 1000)) USING ledger');
approve($wires, 'note', 2);
ok($wires->poll($_, "SELECT to_regclass('note.memo') IS NOT NULL"), "member $_ has the shared table") foreach (@all);
rows_of('private', 'cdr', @with_rows);
rows_of('shared', 'note.memo', @with_rows);
ok($wires->poll($_, q{SELECT string_agg(id::text, ' ' ORDER BY id) = '1 2 3' FROM note.memo}), "member $_ has all shared rows") foreach (@all);
my $receipt = $wires->sql($participant, q{SELECT ledger.receipt('cdr', ledger_ref) FROM cdr LIMIT 1});
is($wires->sql($observer, "SELECT valid, reason FROM ledger.verify_receipt(\$r\$$receipt\$r\$)"), 't|a quorum of the members in genesis ordered this row', 'the observer believes a receipt of the participant');

# The observer has no rows and no log; neither of the two decides anything.
foreach my $table ('cdr', 'note.memo')
{
	refused($wires, $observer, "INSERT INTO $table VALUES (1)", qr/this member is an observer of its ledger, and has no rows on it.*HINT:  Ask the validators to make it a participant/s, "the observer cannot insert into $table");
}
is($wires->sql($observer, 'SELECT count(*) FROM ledger_internal.own_log'), '0', 'and has signed nothing');
is($wires->sql($participant, q{SELECT string_agg(DISTINCT ledger_internal.kind_name(kind::smallint), ' ') FROM ledger_internal.own_log}), 'ACK BATCH', 'the participant has signed batches and what it holds, and no vote');
foreach my $member ($participant, $observer)
{
	refused($wires, $member, "SELECT ledger.remove('member2')", qr/this node is no validator of its ledger, and decides nothing.*participant or an observer/s, "member $member decides nothing");
	like(($wires->node($member)->psql('postgres', "SELECT ledger.announce('" . $wires->address($member) . "')"))[2], qr/NOTICE:  the other members do not learn of this address/, 'nor do others learn from it of a new address');
}
is($wires->sql($_, q{SELECT kind, height, detail FROM ledger.verify(mode => 'full')}), '', "member $_ verifies clean") foreach (@all);
is($wires->sql($observer, q{SELECT verdict, from_height, blocks > to_height FROM ledger.verification ORDER BY id DESC LIMIT 1}), 'clean|0|t', 'the observer has read all blocks');

# What a participant says about its own key makes no validator approve.
is($wires->sql(1, <<'END'), 'nobody', 'a participant proposes nothing that is approved of without a call');
BEGIN;
INSERT INTO ledger_internal.peer_log (member, nonce, seq, kind, epoch, view, message, digest)
SELECT 3, l.nonce, l.last + 1, 9, 1, 0, decode(repeat('00', 155), 'hex') || c.motion || decode(repeat('00', 64), 'hex'), sha256(c.motion)
  FROM (SELECT nonce, max(seq) AS last FROM ledger_internal.peer_log WHERE member = 3 GROUP BY nonce) AS l,
       (SELECT ledger_internal.make_change('another key', '{}', ARRAY[ledger_internal.make_leaf(m.member, m.name, m.kind, m.roles, (SELECT substring(ledger.public_key(decode(repeat('07', 32), 'hex')) FROM 2)), NULL)]) AS motion
          FROM ledger_internal.members() AS m WHERE m.member = 3) AS c;
SELECT coalesce(ledger_internal.own_keys_by(o.motion, o.reason, o.leaves[1]), 'nobody') FROM ledger_internal.open_motions() AS o;
ROLLBACK
END

# Nobody waits for them.
$wires->node($_)->stop('immediate') foreach ($participant, $observer);
rows_of('without the two', 'cdr', 1, 2);
$wires->node($_)->start foreach ($participant, $observer);
rows_of('the participant is back', 'cdr', $participant);

# Validators make them what they shall be.
refused($wires, 1, "SELECT ledger.set_kind('nobody', 'observer')", qr/there is no member "nobody"/, 'who is no member cannot become anything');
refused($wires, 1, "SELECT ledger.set_kind('member3', 'participant')", qr/member "member3" is a participant already/, 'what a member is it need not become');
refused($wires, 1, "SELECT ledger.set_kind('member3', NULL)", qr/a kind is needed/, 'nothing is no kind');
$motion = decide("ledger.set_kind('member3', 'validator')", 1, 2);
in_epoch(2);
is(kinds($_), 'validator validator validator observer', "the participant is a validator, says $_") foreach (@all);
is($wires->sql(1, 'SELECT ledger_internal.quorum()'), '3', 'a quorum is three');
rows_of('three validators', 'cdr', @with_rows);
ok($wires->poll(1, "SELECT EXISTS (SELECT FROM ledger_internal.peer_log WHERE member = 3 AND epoch = 2 AND kind = 5)"), 'it votes');
decide("ledger.set_kind('member4', 'participant')", 3, 1, 2);
in_epoch(3);
rows_of('the observer has become a participant', 'note.memo', $observer);
ok($wires->poll($_, 'SELECT EXISTS (SELECT FROM note.memo WHERE id = 4)'), "its row is at member $_") foreach (@all);

# And back: what a member signed before it became an observer stays where it is.
decide("ledger.set_kind('member3', 'observer')", 1, 2, 3);
in_epoch(4);
refused($wires, $participant, 'INSERT INTO cdr VALUES (5)', qr/this member is an observer of its ledger/, 'who was a validator has no new rows either');
rows_of('two validators again', 'cdr', 1, 2, $observer);
$wires->restart_wire($participant);
my $height = $wires->sql(1, 'SELECT max(height) FROM ledger_internal.ordered_block');
ok($wires->poll($participant, "SELECT max(height) >= $height FROM ledger_internal.ordered_block"), 'it follows, after a start too');
is($wires->sql($_, q{SELECT kind, height, detail FROM ledger.verify(mode => 'full')}), '', "member $_ verifies clean") foreach (@all);
decide("ledger.set_kind('member2', 'participant')", 1, 2);
in_epoch(5);
refused($wires, 1, "SELECT ledger.set_kind('member1', 'observer')", qr/the members cannot be changed like this.*No validator would be left/s, 'the last validator stays one');
rows_of('one validator', 'cdr', 1, 2);
ok(!$wires->node($_)->log_contains('consensus alarm'), "no alarm was raised at $_") foreach (@all);

done_testing();
