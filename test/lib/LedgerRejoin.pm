# Loss of memory among members that order: what the tests of rejoining share.
#
#	submit($wires, $member, $text)
#	all_ordered($wires, $name, @who)	tests: all of it is in the same final blocks
#	wait_for_log($wires, $member, $text, $offset)
#	restore($wires, $member, $backup)	the member's server becomes that backup of it;
#								standby => 1: as a standby that nobody feeds
#	rejoined($wires, $member, $incarnation)	tests
#	innocent($wires, @who)				one test
package LedgerRejoin;

use strict;
use warnings;

use Exporter 'import';
use File::Path ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

our @EXPORT = qw(submit all_ordered wait_for_log restore rejoined innocent);

sub submit
{
	my ($wires, $member, $text) = @_;

	return $wires->submit($member, $text);
}

# What is submitted is in batches, those are in final blocks, and these the same.
sub all_ordered
{
	my ($wires, $name, @who) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	foreach my $member (@who)
	{
		$wires->poll($member, 'SELECT count(*) = 0 FROM ledger_internal.submitted') or diag("member $member makes no batch");
		ok($wires->poll($member, q{SELECT bool_and(EXISTS (SELECT FROM ledger_internal.foreign_batch WHERE digest = d UNION ALL SELECT FROM ledger_internal.batch WHERE digest = d AND height IS NOT NULL))
			FROM (SELECT ledger_internal.batch_digest(message) FROM ledger_internal.own_log WHERE kind = 1) AS b (d)}), "$name: all batches of member $member are in final blocks")
		  || diag($wires->sql($member, "SELECT seq, kind, view FROM ledger.message WHERE verdict = 'own' ORDER BY incarnation DESC, seq DESC LIMIT 8"));
	}
	my $height = $wires->sql($who[0], 'SELECT max(height) FROM ledger_internal.ordered_block');
	my $query = "SELECT string_agg(encode(hash, 'hex'), ',' ORDER BY height) FROM ledger_internal.ordered_block WHERE height <= $height";
	my $chain = $wires->sql($who[0], $query);
	my @other = grep { !$wires->poll($_, $query, $chain) } @who;

	is("@other", '', "and the blocks up to $height are the same");
	return;
}

sub wait_for_log
{
	my ($wires, $member, $text, $offset) = @_;

	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		return 1 if $wires->node($member)->log_contains($text, $offset);
		usleep(100_000);
	}
	return 0;
}

sub rejoined
{
	my ($wires, $member, $incarnation) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($wires->poll($member, 'SELECT count(*) = 0 FROM ledger.rejoin WHERE numbered_at IS NULL'), "member $member has rejoined")
	  || diag($wires->sql($member, 'SELECT * FROM ledger.rejoin') . "\n" . $wires->sql($member, 'SELECT member, log_link, reason FROM ledger.peer'));
	is($wires->sql($member, 'SELECT state, incarnation FROM ledger.status'), "live|$incarnation", "as incarnation $incarnation");
	return;
}

# Nobody was shown to have signed what contradicts, and nobody accused.
sub innocent
{
	my ($wires, @who) = @_;
	my @wrong = grep { $wires->sql($_, 'SELECT (SELECT count(*) FROM ledger_internal.contradiction)'
		. " + (SELECT count(*) FROM ledger.message WHERE kind = 'EVIDENCE')") ne '0' } @who;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is("@wrong", '', 'nobody was shown a contradiction, nobody was accused')
	  || diag(map { $wires->sql($_, 'SELECT member, encode(nonce, \'hex\'), seq FROM ledger_internal.contradiction') . "\n" } @wrong);
}

sub restore
{
	my ($wires, $member, $backup, %param) = @_;
	my $node = $wires->node($member);

	$node->stop('immediate');
	File::Path::rmtree($node->data_dir);
	system_or_bail('cp', '-a', $node->backup_dir . "/$backup", $node->data_dir);
	chmod 0700, $node->data_dir;
	append_to_file($node->data_dir . '/standby.signal', '') if $param{standby};
	$node->start;
	return;
}

1;
