# A member takes another signing key: proposed by the one of now, approved by the
# others' nodes without a call, in force when an epoch begins.  Each row is checked
# with the key of its epoch, before and after, and nobody is convicted by two keys.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerContract;
use LedgerWire;

my $wires = LedgerWire->new(4, ordered => 1);
my @members = (1 .. 4);

sub in_epoch
{
	my ($epoch, @who) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($wires->poll($_, 'SELECT ledger_internal.epoch_now()', $epoch), "epoch $epoch begins at member $_") foreach (@who ? @who : @members);
	return;
}

sub rows_of
{
	my ($name, @who) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	foreach my $member (@who)
	{
		my $ref = $wires->sql($member, "INSERT INTO cdr VALUES ($member) RETURNING ledger_ref");

		like($wires->sql($member, "SELECT ledger.wait_final('$ref', '170 s')"), qr/^\d+$/, "$name: a row of member $member is final");
	}
	return;
}

sub print_of { my ($at, $member) = @_; return $wires->sql($at, "SELECT fingerprint FROM ledger.member WHERE member = $member") }

# Which rows of a member's log does this key sign, of the epochs that member 1 has?
sub signed_by
{
	my ($member, $key) = @_;

	return $wires->sql(1, "SELECT string_agg(DISTINCT epoch::text, ' ') FROM ledger_internal.peer_log WHERE member = $member AND ledger.schnorr_verify(digest, substring(message FROM octet_length(message) - 63), '$key')");
}

rows_of('first keys', @members);
my $before = $wires->sql(2, 'SELECT public_key FROM ledger_internal.node');
my $old_print = print_of(1, 2);
my $old_receipt = $wires->sql(2, q{SELECT ledger.receipt('cdr', ledger_ref) FROM cdr ORDER BY ledger_ref LIMIT 1});

# The call makes the key; the rest goes by itself.
my $new_print = $wires->sql(2, 'SELECT ledger.rotate_key()');
isnt($new_print, $old_print, 'rotate_key() makes another key');
in_epoch(1);
is(print_of($_, 2), $new_print, "member $_ knows it") foreach (@members);
is($wires->sql(2, 'SELECT ledger.fingerprint()'), $new_print, 'and its own database is known by it');
is($wires->sql(1, 'SELECT reason FROM ledger.motion'), "member2 has another key: $new_print", 'the motion says so');
is($wires->sql(2, 'SELECT count(*) FROM ledger_internal.key_wanted'), '0', 'nothing is wanted any more');
rows_of('another key', @members);
my $after = $wires->sql(2, 'SELECT public_key FROM ledger_internal.node');
isnt($after, $before, 'the node has the new key');
is(signed_by(2, $before), '0', 'the old key has signed rows of epoch 0 only');
is(signed_by(2, $after), '1', 'the new one those of epoch 1 only');
my @files = map { $wires->node(2)->basedir . '/keys/' . ($_ =~ s/^\\x//r) . '.key' } ($before, $after);
ok(-f $_, 'the file of each is there') foreach (@files);

# A second time, and a third by another one; then two begin anew, from the first rows.
$wires->sql(2, 'SELECT ledger.rotate_key()');
in_epoch(2);
$wires->sql(3, 'SELECT ledger.rotate_key()');
in_epoch(3);
rows_of('three changes', @members);
$wires->restart_wire($_) foreach (1, 2);
rows_of('after a start', @members);
$wires->agree('everybody keeps everybody\'s log');
is($wires->sql($_, q{SELECT kind, height, detail FROM ledger.verify(mode => 'full')}), '', "member $_ verifies clean") foreach (@members);
is($wires->sql(2, "BEGIN; UPDATE ledger_internal.node SET public_key = '$before'; SELECT kind, detail FROM ledger.verify(mode => 'full'); ROLLBACK"),
	'block_changed|The key in ledger_internal.node is not the one that the members know.', 'a key that was put back is named');

# Receipts of before and after are believed, with a database and without.
my $verifier = $wires->node(1)->config_data('--bindir') . '/telco_verifier';
my $new_receipt = $wires->sql(2, q{SELECT ledger.receipt('cdr', ledger_ref) FROM cdr ORDER BY ledger_ref DESC LIMIT 1});
my $again = $wires->sql(2, q{SELECT ledger.receipt('cdr', ledger_ref) FROM cdr ORDER BY ledger_ref LIMIT 1});

foreach my $case ([ 'made before the change', $old_receipt ], [ 'of a row before it', $again ], [ 'of a row after it', $new_receipt ])
{
	my ($name, $receipt) = @$case;

	is($wires->sql(1, "SELECT valid FROM ledger.verify_receipt(\$r\$$receipt\$r\$)"), 't', "a receipt $name is believed");
	SKIP:
	{
		skip "$verifier is not installed", 1 unless -x $verifier;
		my $file = PostgreSQL::Test::Utils::tempdir() . '/receipt.json';

		unlink $file;
		PostgreSQL::Test::Utils::append_to_file($file, $receipt);
		ok(system($verifier, $file) == 0, "and by telco_verifier");
	}
}

# Whoever has a key that was given up signs nothing with it that is taken.
my $secret = '\\x' . substr(PostgreSQL::Test::Utils::slurp_file($files[0]), 0, 64);
my $chain = $wires->sql(1, 'SELECT chain_id FROM ledger_internal.node');

$wires->sql(1, <<'END');
CREATE FUNCTION signed_row(chain bytea, member int, seq bigint, previous bytea, kind int, epoch bigint, payload bytea, secret bytea)
    RETURNS bytea LANGUAGE sql AS $$
SELECT '\x01'::bytea || fixed || int4send(octet_length(payload)) || payload || ledger.schnorr_sign(d, secret)
  FROM (SELECT int4send(member) || '\x00000000000000000000000000000000'::bytea || int8send(seq) || previous
               || set_byte('\x00', 0, kind) || int8send(epoch) || int8send(0) AS fixed) AS f,
       LATERAL (SELECT sha256('telco_ledger/1/row'::bytea || chain || fixed
                              || sha256('telco_ledger/1/'::bytea || set_byte('\x00', 0, kind) || payload)) AS d) AS g
$$
END

sub forge
{
	my ($epoch, $seq, $with) = @_;
	my $previous = $wires->sql(1, "SELECT digest FROM ledger_internal.peer_log WHERE member = 2 AND seq < $seq ORDER BY seq DESC LIMIT 1");
	my $row = $wires->sql(1, "SELECT signed_row('$chain', 2, $seq, '$previous', 6, $epoch, '', '$with')");

	$wires->wire(1, "INSERT INTO ledger_wire.log_2 (message) VALUES ('$row')");
	return;
}

$wires->rest(@members);
my $last = $wires->sql(1, 'SELECT max(seq) FROM ledger_internal.peer_log WHERE member = 2');

forge(3, $last + 1, $secret);
ok($wires->poll(1, q{SELECT reason = 'the signature is not valid' FROM ledger_internal.quarantine WHERE member = 2 ORDER BY number DESC LIMIT 1}), 'a row of this epoch by the old key is refused')
  || diag($wires->sql(1, 'SELECT number, reason FROM ledger_internal.quarantine'));
forge(0, $last, $secret);
ok($wires->poll(1, q{SELECT reason LIKE 'beside the row that is kept in its place, which another key has signed' FROM ledger_internal.quarantine WHERE member = 2 ORDER BY number DESC LIMIT 1}), 'one of an old epoch in the place of one of the new key is no evidence');
is($wires->sql(1, 'SELECT count(*) FROM ledger.evidence'), '0', 'and stands nowhere as such');
forge(0, $last + 1, $secret);
ok($wires->poll(1, q{SELECT reason = 'of an earlier epoch than the row before' FROM ledger_internal.quarantine WHERE member = 2 ORDER BY number DESC LIMIT 1}), 'nor does one of an old epoch follow those of the new key')
  || diag($wires->sql(1, 'SELECT number, reason FROM ledger_internal.quarantine'));
forge(9, $last + 1, $secret);
forge(3, $last + 1, $secret);
ok($wires->poll(1, q{SELECT count(*) = 4 FROM ledger_internal.quarantine WHERE member = 2}), 'one of an epoch to come is not kept');
is($wires->sql(1, 'SELECT max(seq) FROM ledger_internal.peer_log WHERE member = 2'), $last, 'the log has none of them');
rows_of('nobody minds', @members);

# What makes member 1 approve without being asked, in motions as logs could hold them.
$wires->sql(1, <<'END');
CREATE FUNCTION key_motion(about bigint, what text, key bytea) RETURNS bytea LANGUAGE sql AS $$
SELECT ledger_internal.make_change(what, '{}', ARRAY[ledger_internal.make_leaf(m.member, m.name, m.kind, m.roles, key, m.recovery_key)])
  FROM ledger_internal.members() AS m WHERE m.member = about
$$;
CREATE FUNCTION put_motion(by bigint, epoch bigint, motion bytea) RETURNS void LANGUAGE sql AS $$
INSERT INTO ledger_internal.peer_log (member, nonce, seq, kind, epoch, view, message, digest)
SELECT by, nonce, max(seq) + 1, 9, $2, 1000000, decode(repeat('00', 155), 'hex') || motion || decode(repeat('00', 64), 'hex'), sha256(motion)
  FROM ledger_internal.peer_log WHERE member = by GROUP BY nonce ORDER BY max(seq) DESC LIMIT 1
$$;
CREATE FUNCTION signer(motion bytea) RETURNS text LANGUAGE sql AS $$
SELECT coalesce(ledger_internal.own_keys_by(motion, p.reason, p.leaves[1]), 'nobody') FROM ledger_internal.motion_parts(motion) AS p
$$;
END
my @other = map { $wires->public_key(LedgerWire::secret($_)) } (71 .. 74);
my $motion = "key_motion(2, 'another key', '$other[0]')";

is($wires->sql(1, "BEGIN; SELECT put_motion(2, 3, $motion); SELECT signer($motion); ROLLBACK"), "\nmember", 'a member proposes a key for itself in this epoch');
is($wires->sql(1, "BEGIN; SELECT put_motion(2, 0, $motion); SELECT signer($motion); ROLLBACK"), "\nnobody", 'a row of an old epoch, by the old key, proposes none for now');
is($wires->sql(1, "BEGIN; SELECT put_motion(3, 3, $motion); SELECT signer($motion); ROLLBACK"), "\nnobody", 'nor does another member');
is($wires->sql(1, <<"END"), "\n\n\n\n\n2 first\n3 first", 'of the motions of each member one is approved of, the first in its log');
BEGIN;
SELECT put_motion(2, 3, key_motion(2, 'first', '$other[0]'));
SELECT put_motion(2, 3, key_motion(2, 'second', '$other[1]'));
SELECT put_motion(2, 3, key_motion(2, 'third', '$other[2]'));
SELECT put_motion(3, 3, key_motion(3, 'first', '$other[3]'));
SELECT ledger_internal.approve_keys();
SELECT l.member || ' ' || p.reason FROM ledger_internal.approval_asked AS a, LATERAL ledger_internal.motion_parts(a.motion) AS p, LATERAL ledger_internal.leaf_parts(p.leaves[1]) AS l ORDER BY 1;
ROLLBACK
END

# A crash with the key made and nothing decided: no quorum is there to do it.
$wires->node($_)->stop('immediate') foreach (3, 4);
my $pending = $wires->sql(1, 'SELECT ledger.rotate_key()');
is($wires->sql(1, 'SELECT ledger.rotate_key()'), $pending, 'to ask again is to ask for the same key');
$wires->node(1)->stop('immediate');
$wires->node(1)->start;
isnt($wires->sql(1, 'SELECT ledger.fingerprint()'), $pending, 'after a crash the old key signs');
$wires->node($_)->start foreach (3, 4);
in_epoch(4);
is(print_of($_, 1), $pending, "then the change is decided, and member $_ knows it") foreach (@members);
rows_of('after the crash', @members);

# Two at once compete for an epoch; the one that loses is proposed again by itself.
my %wanted = map { $_ => $wires->sql($_, 'SELECT ledger.rotate_key()') } (3, 4);
foreach my $member (@members)
{
	ok($wires->poll($member, "SELECT count(*) = 2 FROM ledger.member WHERE fingerprint IN ('$wanted{3}', '$wanted{4}')"), "member $member knows both new keys");
}
rows_of('both', @members);
# Not all keys that a member can have: whoever has the signing key could use them up.
my $now = 6;

foreach my $key (4 .. 8)
{
	$wires->sql(2, 'SELECT ledger.rotate_key()');
	in_epoch(++$now, 1, 2);
}
is($wires->sql(1, 'SELECT count(*) FROM ledger_internal.row_keys() WHERE member = 2'), '8', 'member 2 has had eight keys');
my $ninth = $wires->sql(2, 'SELECT ledger.rotate_key()');
foreach my $member (1, 3, 4)
{
	ok($wires->poll($member, q{SELECT count(*) = 1 FROM ledger.motion WHERE state = 'open'}), "member $member knows of the ninth");
	is($wires->sql($member, 'SELECT count(*) FROM ledger_internal.open_motions() AS o WHERE ledger_internal.own_keys_by(o.motion, o.reason, o.leaves[1]) IS NOT NULL'), '0', 'and does not approve without being asked');
}
$wires->sql($_, "SELECT ledger.set_key('member2', '$ninth')") foreach (1, 3);
in_epoch(++$now);
is(print_of($_, 2), $ninth, "a quorum gives it to member 2, says member $_") foreach (@members);
rows_of('nine keys', @members);
my $given_up = $wires->sql(1, "SELECT ledger_internal.fingerprint_of('$before')");
refused($wires, 1, "SELECT ledger.set_key('member2', '$given_up')", qr/the members cannot be changed like this.*a key that it had before/s, 'a key that was given up does not come back');
is($wires->sql($_, q{SELECT kind, height, detail FROM ledger.verify(mode => 'full')}), '', "member $_ verifies clean") foreach (@members);
ok(!$wires->node($_)->log_contains('consensus alarm'), "no alarm was raised at $_") foreach (@members);

done_testing();
