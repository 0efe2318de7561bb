import type { ExperimentId } from '../../../../src-main/contract/notes.ts';
import type { TrialCheck, TrialSay } from '../../../../src-main/contract/notes-trial.ts';
import type { Message, Words } from '../messages.ts';

/** Parameters come with the items of a run, so that the type cannot check them; a test does. */
type TrialWords = Record<
  | `about.${ExperimentId}`
  | `say.${TrialSay}`
  | `check.${TrialCheck}`
  | `who.${'a' | 'b' | 'writer' | 'stream' | 'oneShot' | 'late' | 'observer'}`
  | `ui.${Ui}`,
  Message
>;
type Ui =
  | 'title'
  | 'cluster'
  | 'run'
  | 'runAgain'
  | 'runAlone'
  | 'runAloneAgain'
  | 'stop'
  | 'needsLocal'
  | 'steps'
  | 'checks'
  | 'begun'
  | 'held'
  | 'notHeld'
  | 'failed'
  | 'stopped'
  | 'cleaned'
  | 'cleanedCluster'
  | 'left'
  | 'leftUnknown'
  | 'leftCluster'
  | 'yes'
  | 'no'
  | 'sent'
  | 'answered'
  | 'refused'
  | 'event';

const en: TrialWords = {
  'ui.title': 'Try it',
  'ui.cluster': 'Cluster',
  'ui.run': 'Run on {cluster}',
  'ui.runAgain': 'Run again on {cluster}',
  'ui.runAlone': 'Run on a cluster of its own',
  'ui.runAloneAgain': 'Run again on a cluster of its own',
  'ui.stop': 'Stop',
  'ui.needsLocal':
    'Experiments write, and run on local clusters alone. Start or create one to try this.',
  'ui.steps': 'Steps of the experiment',
  'ui.checks': 'What was looked at',
  'ui.begun': 'On {cluster}, keys below {prefix}',
  'ui.held': 'Seen to hold: {n} of {total}. Took {seconds} s.',
  'ui.notHeld': 'Not seen to hold: {n} of {total} were as claimed. Took {seconds} s.',
  'ui.failed': 'No verdict: {error}',
  'ui.stopped': 'Stopped, so no verdict. What it made is being removed.',
  'ui.cleaned': 'Removed again (keys: {keys}, leases: {leases}). Nothing is left.',
  'ui.cleanedCluster': 'Removed again: the cluster {cluster} with its data.',
  'ui.left': '{left} keys below {prefix} are still there.',
  'ui.leftUnknown': 'Keys below {prefix} may still be there: the cluster did not answer.',
  'ui.leftCluster': 'The cluster {cluster} could not be removed: delete it by hand.',
  'ui.yes': 'yes',
  'ui.no': 'no',
  'ui.sent': 'sent',
  'ui.answered': 'answered',
  'ui.refused': 'failed',
  'ui.event': 'event',

  'about.watch-history':
    'A key is written three times in quick succession. Who sees all three: a watch, a watch that fires once and is set again, and a watch that is opened afterwards?',
  'about.lock-fencing':
    'A takes a lock and falls silent until its lease ends. B takes the lock and writes. Then A wakes and writes too, unaware. What stops it?',
  'about.lease-expiry':
    'Three keys hang on a lease that nobody renews, a fourth on none. Which are there afterwards, and how long did it take?',
  'about.cas-loses':
    'A and B read the same revision, and both write on the ground of it. Who wins, and what does the other get to know?',
  'about.quorum-reads':
    'One of three members is cut off. What does it answer to a linearizable and to a serializable read? Runs on a cluster of its own, which is deleted afterwards; yours is not touched.',

  'who.a': 'A',
  'who.b': 'B',
  'who.writer': 'writer',
  'who.stream': 'watch',
  'who.oneShot': 'one-shot',
  'who.late': 'late',
  'who.observer': 'observer',

  'say.oneShotArmed':
    'The one-shot watch is played as ZooKeeper’s guide describes it: it takes one event, is gone, and has to be set again after a read.',
  'say.oneShotTold':
    'It was told of a change and is gone. Before it reads and is set again, the writer writes twice more.',
  'say.oneShotReads': 'Now it reads, and is set again.',
  'say.lateOpens': 'A watch that is opened only now asks for everything since revision {revision}.',
  'say.bothRead': 'A and B read the same key.',
  'say.bothWrite': 'Both write, each on condition that the key is still at revision {revision}.',
  'say.lockTaken': 'A has the lock. Its key was created at revision {token}: the fencing number.',
  'say.holderSilent': 'A falls silent. Nobody renews its lease of {ttl} s, and B waits in line.',
  'say.holderWakes': 'A wakes, and still believes in number {token}.',
  'say.waitsForExpiry': 'Nobody renews the lease of {ttl} s.',
  'say.clusterStarts': 'A cluster {name} of {nodes} nodes is started for this.',
  'say.clusterReady': '{leader} leads; {follower} will be cut off.',
  'say.isolates': 'Nothing goes from the other members to {node} or back; clients still reach it.',
  'say.isolated': '{node} has heard nothing for an election time-out, and knows of no leader.',
  'say.majorityWrites': 'The other two are a majority, and go on.',
  'say.heals': 'The cut is healed.',

  'check.streamSawAll': 'The watch saw {seen} of {of} changes, in order.',
  'check.oneShotMissed': 'The one-shot watch missed {missed} of {of}.',
  'check.lateSawAll': 'The watch that was opened afterwards saw {seen} of {of}.',
  'check.firstWon': 'The first to write succeeded.',
  'check.secondLost': 'The second was refused: the key was no longer at revision {revision}.',
  'check.loserSawWinner': 'In the same step it read what had won: “{value}”.',
  'check.nothingOverwritten': 'What is there is the winner’s: “{value}”.',
  'check.tokenGrows': 'B’s number is greater than A’s: {b} after {a}.',
  'check.lateRefused': 'A’s write with its old number {token} was refused.',
  'check.guardedKept': 'The key that is guarded by the number kept B’s value: “{value}”.',
  'check.unguardedOverwritten':
    'The key without a guard was overwritten, lock or no lock: “{value}”.',
  'check.leaseKeysGone': '{gone} of {of} keys of the lease are gone.',
  'check.otherKeyStays': 'The key without a lease is still there.',
  'check.notBeforeTtl': 'It took {seconds} s: not less than the {ttl} s that were granted.',
  'check.linearizableFailed': 'The member without a majority refused a linearizable read: {error}',
  'check.serializableAnswered': 'It answered a serializable read: “{value}”.',
  'check.serializableWasStale': 'That answer, “{value}”, was older than what had been committed.',
  'check.majorityWent': 'The majority went on meanwhile: “{value}”.',
  'check.healedReadIsNew':
    'Healed, the same member answers linearizably with the new value: “{value}”.',
};

const zh: TrialWords = {
  'ui.title': '动手试',
  'ui.cluster': '集群',
  'ui.run': '在 {cluster} 上运行',
  'ui.runAgain': '在 {cluster} 上再次运行',
  'ui.runAlone': '在专用集群上运行',
  'ui.runAloneAgain': '在专用集群上再次运行',
  'ui.stop': '停止',
  'ui.needsLocal': '实验会写入数据，只在本地集群上运行。请启动或创建一个本地集群。',
  'ui.steps': '实验步骤',
  'ui.checks': '检查项',
  'ui.begun': '在 {cluster} 上，键位于 {prefix} 之下',
  'ui.held': '观察到成立：{n}/{total}。耗时 {seconds} 秒。',
  'ui.notHeld': '未观察到成立：{total} 项中有 {n} 项符合。耗时 {seconds} 秒。',
  'ui.failed': '没有结论：{error}',
  'ui.stopped': '已停止，因此没有结论。它创建的内容正在清除。',
  'ui.cleaned': '已清除（键：{keys}，租约：{leases}）。没有残留。',
  'ui.cleanedCluster': '已清除：集群 {cluster} 及其数据。',
  'ui.left': '{prefix} 之下仍有 {left} 个键。',
  'ui.leftUnknown': '{prefix} 之下可能仍有键：集群没有回答。',
  'ui.leftCluster': '集群 {cluster} 无法移除：请手动删除。',
  'ui.yes': '是',
  'ui.no': '否',
  'ui.sent': '发送',
  'ui.answered': '回答',
  'ui.refused': '失败',
  'ui.event': '事件',

  'about.watch-history':
    '一个键被连续快速写入三次。谁能全部看到：watch、只触发一次再重新设置的 watch，还是事后才打开的 watch？',
  'about.lock-fencing':
    'A 取得锁后沉默，直到租约到期。B 取得锁并写入。随后 A 醒来，毫不知情地也写入。什么能阻止它？',
  'about.lease-expiry': '三个键绑定在无人续约的租约上，第四个没有租约。之后哪些还在，用了多久？',
  'about.cas-loses': 'A 与 B 读到同一修订版本，并都以此为据写入。谁会成功，另一方得知什么？',
  'about.quorum-reads':
    '三个成员中的一个被隔离。它如何回答线性一致读取与串行化读取？实验在自己的集群上运行，事后删除；不会触碰你的集群。',

  'who.a': 'A',
  'who.b': 'B',
  'who.writer': '写入者',
  'who.stream': 'watch',
  'who.oneShot': '一次性',
  'who.late': '后开',
  'who.observer': '观察者',

  'say.oneShotArmed':
    '一次性 watch 按 ZooKeeper 指南的描述模拟：取得一个事件后即消失，读取之后须重新设置。',
  'say.oneShotTold': '它得知有变更，随即消失。在它读取并重新设置之前，写入者又写了两次。',
  'say.oneShotReads': '现在它读取，并重新设置。',
  'say.lateOpens': '此时才打开的 watch 请求自修订版本 {revision} 以来的全部事件。',
  'say.bothRead': 'A 与 B 读取同一个键。',
  'say.bothWrite': '双方写入，条件都是该键仍处于修订版本 {revision}。',
  'say.lockTaken': 'A 持有锁。其键创建于修订版本 {token}：即防护编号。',
  'say.holderSilent': 'A 沉默。无人续约其 {ttl} 秒的租约，B 在排队等待。',
  'say.holderWakes': 'A 醒来，仍相信编号 {token}。',
  'say.waitsForExpiry': '无人续约这 {ttl} 秒的租约。',
  'say.clusterStarts': '为此启动 {nodes} 个节点的集群 {name}。',
  'say.clusterReady': '{leader} 是领导者；将隔离 {follower}。',
  'say.isolates': '其他成员与 {node} 之间不再互通；客户端仍可访问它。',
  'say.isolated': '{node} 在一个选举超时内没有收到任何消息，已知没有领导者。',
  'say.majorityWrites': '另外两个成员构成多数，继续工作。',
  'say.heals': '隔离已恢复。',

  'check.streamSawAll': 'watch 看到 {of} 次变更中的 {seen} 次，顺序一致。',
  'check.oneShotMissed': '一次性 watch 错过 {of} 次中的 {missed} 次。',
  'check.lateSawAll': '事后打开的 watch 看到 {of} 次中的 {seen} 次。',
  'check.firstWon': '先写入者成功。',
  'check.secondLost': '后写入者被拒绝：该键已不在修订版本 {revision}。',
  'check.loserSawWinner': '同一步骤中它读到了胜出的值：“{value}”。',
  'check.nothingOverwritten': '留下的是胜出者的值：“{value}”。',
  'check.tokenGrows': 'B 的编号大于 A 的：先 {a}，后 {b}。',
  'check.lateRefused': 'A 以旧编号 {token} 的写入被拒绝。',
  'check.guardedKept': '受编号保护的键保留了 B 的值：“{value}”。',
  'check.unguardedOverwritten': '没有保护的键被覆盖，有锁也无济于事：“{value}”。',
  'check.leaseKeysGone': '租约的 {of} 个键中有 {gone} 个已消失。',
  'check.otherKeyStays': '没有租约的键仍在。',
  'check.notBeforeTtl': '用了 {seconds} 秒：不少于授予的 {ttl} 秒。',
  'check.linearizableFailed': '没有多数的成员拒绝了线性一致读取：{error}',
  'check.serializableAnswered': '它回答了串行化读取：“{value}”。',
  'check.serializableWasStale': '该回答“{value}”早于已提交的内容。',
  'check.majorityWent': '多数一侧其间继续工作：“{value}”。',
  'check.healedReadIsNew': '恢复后，同一成员以线性一致方式回答新值：“{value}”。',
};

export const trialWords: Words<TrialWords> = { en, zh };
