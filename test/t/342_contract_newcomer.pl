# Who joins a ledger that has contracts gets them from the chain, in the same
# blocks as the others did, and has a vote on the next one.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerContract;
use LedgerWire;

$ENV{PGOPTIONS} = '-c jit=off';
my $wires = LedgerWire->new(2, ordered => 1);

$wires->announce($_) foreach (1, 2);

# One proposes, the others approve.
sub decide
{
	my ($name, $source, $first, @others) = @_;

	deploy($wires, $first, $name, $source);
	return approve($wires, $name, @others);
}

sub is_deployed
{
	my ($name, @who) = @_;
	my @late = grep { !$wires->poll($_, "SELECT state FROM ledger.contract WHERE name = '$name'", 'deployed') } @who;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is("@late", '', "contract $name is deployed at @who") || diag(map { "member $_\n" . $wires->sql($_, 'SELECT name, state, reason, approved_by FROM ledger.contract') . "\n" } @who);
	my %heights = map { $wires->sql($_, "SELECT since_height, hash, source FROM ledger.contract WHERE name = '$name'") => 1 } @who;
	return is(scalar(keys %heights), 1, 'in the same block, from the same source');
}

decide('roaming', 'CREATE TABLE usage (served text, seconds integer) USING ledger', 1, 2);
is_deployed('roaming', 1, 2);

# With timers: one that runs before somebody joins, one while he does or later.
decide('timer', slurp_file("$FindBin::RealBin/../contracts/timer.sql"), 1, 2);
is_deployed('timer', 1, 2);
$wires->sql(1, "SELECT timer.make('$_', '$_')") foreach ('1 s', '10 s');
ok($wires->poll(1, q{SELECT state = 'over' FROM timer.offer WHERE name = '1 s'}), 'a timer has run');

# With two versions, each of which has changed state.
decide('shelf', slurp_file("$FindBin::RealBin/../contracts/shelf.sql"), 1, 2);
is_deployed('shelf', 1, 2);
$wires->sql(1, "SELECT shelf.$_") foreach (q{put('apple')}, q{put('pear', 200)}, q{keep(1, 'one')}, q{wait('pear', '2999-01-01')});
ok($wires->poll($_, 'SELECT (SELECT count(*) FROM shelf.item) + (SELECT count(*) FROM shelf.mark) + (SELECT count(*) FROM shelf.expire_timer)', '4'), "the first version is used, at member $_") foreach (1, 2);
decide('shelf', slurp_file("$FindBin::RealBin/../contracts/shelf_2.sql"), 2, 1);
ok($wires->poll($_, q{SELECT count(*) FROM ledger_internal.contract WHERE name = 'shelf' AND state = 'deployed'}, '2'), "the second version is deployed at member $_") foreach (1, 2);
$wires->sql(2, q{SELECT shelf.put('fig', 333)});

my $new = $wires->add_newcomer;
$wires->invite(1, $new);
$wires->join($new);
is_deployed('roaming', 1, 2, $new);
unlike(same_everywhere($wires, 'SELECT table_id FROM ledger_internal.shared_table ORDER BY 1', 1, $new), qr/^at /m, 'the newcomer has its table, and those of the other contracts');

# A proposal that is open when the members change lapses, and is made again.
decide('early', 'CREATE TABLE t (a integer) USING ledger', 2);
ok($wires->poll(1, "SELECT state FROM ledger.contract WHERE name = 'early'", 'proposed'), 'a contract is proposed');
$wires->admit([$new], 1, 2);
foreach my $member (1, 2, $new)
{
	ok($wires->poll($member, 'SELECT ledger_internal.epoch_now()', '1'), "the members change, for $member");
}
ok($wires->poll(1, "SELECT state FROM ledger.contract WHERE name = 'early'", 'lapsed'), 'what was proposed before lapses');
decide('early', 'CREATE TABLE t (a integer) USING ledger', 1, $new, 2);
foreach my $member (1, 2, $new)
{
	ok($wires->poll($member, "SELECT string_agg(state, ' ' ORDER BY state) FROM ledger.contract WHERE name = 'early'", 'deployed lapsed'), "and is deployed when it is proposed again, for $member")
	  || diag($wires->sql($member, 'SELECT name, state, reason, approved_by, needed FROM ledger.contract'));
}

# A crash after that changes nothing.
$wires->node($new)->stop('immediate');
$wires->node($new)->start;
is($wires->sql($new, 'SELECT count(*) FROM ledger_internal.contract_schema'), '4', 'all are there after a crash');
decide('late', 'CREATE TABLE t (a integer) USING ledger; CREATE VIEW v AS SELECT a FROM t', 2, 1, $new);
is_deployed('late', 1, 2, $new);
ok($wires->poll($_, q{SELECT state = 'over' FROM timer.offer WHERE name = '10 s'}), "the other timer has run at member $_") foreach (1, 2, $new);
is($wires->sql($new, $_), $wires->sql(1, $_), "the newcomer has the same: $_")
  foreach ('SELECT contract, handler, key, at, ref, height, state FROM ledger.timer_outcome ORDER BY ref', 'SELECT * FROM timer.offer ORDER BY name',
	q{SELECT table_id, digest FROM ledger.state WHERE relation IN ('timer.offer'::regclass, 'timer.expire_timer'::regclass) OR relation::text LIKE 'shelf.%' ORDER BY 1},
	'SELECT name, owner, price, sold, class, seen FROM shelf.item ORDER BY name',
	q{SELECT version, since_height, superseded_at, state, hash FROM ledger.contract WHERE name = 'shelf' ORDER BY version});
is($wires->sql($_, q{SELECT * FROM ledger.verify(mode => 'full')}), '', "member $_ finds nothing wrong") foreach (1, 2, $new);

done_testing();
