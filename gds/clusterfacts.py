"""What each fact of a cluster's play changes; the table of rgm/tenure.py in it. Used by clustersim.py. Pure."""

from __future__ import annotations

from gds.clusterscript import Asked, GivesOver, Happens, NodeAsked
from gds.rgm import asked
from gds.rgm.placement import give_over

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.clusterscript import Fact
    from gds.clustersim import Node, Play

BY_PERSON = {"drain": "a person drained it", "evacuate": "a person evacuated it"}


def tell(play: Play, fact: Fact) -> None:
    """It happens now."""
    match fact:
        case Happens():
            HOW[fact.what](play, play.nodes[fact.node])
        case NodeAsked():
            _node_asked(play, fact)
        case Asked():
            _asked(play, fact)
        case GivesOver():
            _gives_over(play, fact)
        case _:
            play.courses[fact.group, fact.node, fact.method] = (fact.fails, fact.times)
            how = f"fails from now on: {fact.fails}" if fact.fails else "succeeds from now on"
            if fact.fails and fact.times:
                how = f"fails {'once' if fact.times == 1 else f'{fact.times} times'}: {fact.fails}"
            play.say(fact.group, "fact", f"its {fact.method} on {fact.node} {how}")


# -- nodes ------------------------------------------------------------------------------------------------------------


def _dies(play: Play, node: Node) -> None:
    if not node.up:
        play.say(node.name, "fact", "is dead already")
        return
    lost = [slot.group for slot in play.slots if slot.node == node.name]
    play.say(node.name, "fact", f"dies{', with ' + ', '.join(lost) if lost else ''}")
    _falls_silent(play, node)
    node.up = False
    for slot in play.slots:
        if slot.node == node.name:
            slot.run += 1  # whatever was under way on it never ends
            play.reckon(slot.group)


def _cut_off(play: Play, node: Node) -> None:
    if not node.acts:
        play.say(node.name, "fact", "is not reached already")
        return
    play.say(node.name, "fact", "is cut off from the store")
    _falls_silent(play, node)
    node.cut = True
    life, silence = node.life, node.silence
    end = max(play.now, node.tenure.until)

    def ends() -> None:
        if node.up and node.cut and (node.life, node.silence) == (life, silence):
            _ends_everything(play, node)

    play.at(end, ends)


def _ends_everything(play: Play, node: Node) -> None:
    ended = [slot for slot in play.slots if slot.node == node.name]
    since = play.now - node.tenure.sent_at
    what = f"ends {', '.join([s.group for s in ended])}" if ended else "has nothing to end"
    play.say(node.name, "done", f"{what}: no renewal for {since:g} s (L - M)")
    for slot in ended:
        play.enter(slot, "OFFLINE")


def _falls_silent(play: Play, node: Node) -> None:
    """Its record moves no more: when the others have seen that for long enough, they fence it."""
    if not node.acts:
        return
    node.tenure = node.tenure.renewed(node.born + (play.now - node.born) // play.script.renew * play.script.renew)
    node.silence += 1
    life, silence = node.life, node.silence

    def fence() -> None:
        if (node.life, node.silence) != (life, silence) or node.fenced:
            return
        node.fenced = True
        play.say(
            node.name, "done", f"is fenced: its record has not moved for {play.now - node.tenure.sent_at:g} s (1.01 L)"
        )
        for slot in [s for s in play.slots if s.node == node.name]:
            play.drop(slot)

    play.at(node.tenure.fence_after(node.tenure.sent_at), fence)


def _returns(play: Play, node: Node) -> None:
    if node.up:
        play.say(node.name, "fact", "is up already")
        return
    play.say(node.name, "fact", "returns, and holds nothing")
    _joins(play, node)


def _healed(play: Play, node: Node) -> None:
    if not node.cut:
        play.say(node.name, "fact", "is not cut off")
        return
    if not node.up:
        play.say(node.name, "fact", "could be reached again, if it lived")
        node.cut = False
        return
    if node.fenced:
        play.say(node.name, "fact", "reaches the store again: it was fenced, and holds nothing")
        _joins(play, node)
        return
    play.say(node.name, "fact", "reaches the store again, in time")
    node.cut = False
    node.silence += 1
    node.born = play.now
    node.tenure = node.tenure.renewed(play.now)
    for slot in [s for s in play.slots if s.node == node.name and s.state == "OFFLINE"]:
        if slot.leaving:
            play.drop(slot)
            continue
        play.say(slot.group, "done", f"is started again on {node.name}: its token {slot.token} still counts")
        play.start(slot)


def _joins(play: Play, node: Node) -> None:
    """A new life; what the one before held is free."""
    for slot in [s for s in play.slots if s.node == node.name]:
        play.drop(slot)
    node.up, node.cut, node.fenced = True, False, False
    node.life += 1
    play.joins += 1
    node.joined = play.joins
    node.born = play.now
    node.tenure = node.tenure.renewed(play.now)


HOW = {"dies": _dies, "returns": _returns, "cut off": _cut_off, "healed": _healed}


# -- people -----------------------------------------------------------------------------------------------------------


def _node_asked(play: Play, fact: NodeAsked) -> None:
    node = play.nodes[fact.node]
    play.say(node.name, "fact", f"a person asks: {fact.act}")
    node.drained = BY_PERSON.get(fact.act, "")
    node.evacuated = fact.act == "evacuate"


def _asked(play: Play, fact: Asked) -> None:
    goal = play.goals[fact.group]
    play.say(fact.group, "fact", f"a person asks: {fact.act}{' to ' + ', '.join(fact.to) if fact.to else ''}")
    match fact.act:
        case "switch":
            _switch(play, fact)
        case "online":
            wanted, why = asked.online(play.cluster(), fact.group)
            if why:
                play.say(fact.group, "decided", f"cannot bring it online: {why}")
            else:
                play.goals[fact.group] = wanted
        case "offline":
            play.goals[fact.group] = asked.offline(goal)
        case _:
            play.goals[fact.group] = goal.replace(suspended=fact.act == "suspend")


def _switch(play: Play, fact: Asked) -> None:
    """Marks do not stand in a person's way (Sun: semantics.md 13.1); everything else does."""
    play.goals[fact.group], why = asked.switch(play.cluster(), fact.group, fact.to, play.joins, f"at {play.now:g} s")
    if why:
        play.say(fact.group, "decided", f"cannot switch: {why}")
        return
    for node in fact.to:
        play.marks.pop((fact.group, node), None)


def _gives_over(play: Play, fact: GivesOver) -> None:
    """Candidates are asked one after the other; the first yes lets it happen. Sun: semantics.md 7.3."""
    online = [slot.node for slot in play.slots if slot.group == fact.group and slot.state == "ONLINE"]
    node = fact.node or next(iter(online), "")
    if node not in online or not play.nodes[node].acts:
        play.say(fact.group, "fact", f"asks to be rid of {node or 'its node'}, and is not online there: {fact.because}")
        return
    play.say(fact.group, "fact", f"asks to be rid of {node}: {fact.because}")
    found = give_over(play.picture(), fact.group, node)
    refused = dict(found.refused)
    willing = ""
    for each in found.candidates:
        why = play.fails(found.group, each, "Monitor_check") if play.nodes[each].acts else "it does not answer"
        if not why:
            willing = each
            break
        refused[each] = f"its Monitor_check says no: {why}"
    if found.because or not willing:
        reasons = "; ".join([f"{n} {why}" for n, why in refused.items()])
        play.say(fact.group, "decided", f"stays on {node}: {found.because or reasons or 'there is no other node'}")
        return
    for each in [n for n in refused if n in found.candidates]:
        play.mark(found.group, each, refused[each], True)
    play.mark(found.group, node, f"gave it over at {play.now:g} s: {fact.because}", True)
    goes = "" if found.group == fact.group else f", by a giveover of {found.group}"
    play.say(found.group, "decided", f"{node} gives it up{goes}: {fact.because}; {willing} can take it")
    slot = next(s for s in play.slots if s.group == found.group and s.node == node)
    play.stop(slot)
