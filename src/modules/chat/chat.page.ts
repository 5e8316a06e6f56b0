/** Without a framework: what it does with the socket is all there is to it. */
export const chatPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Roost: who is here</title>
<link rel="icon" href="data:,">
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 2rem auto; padding: 0 1rem; }
  input, button { font: inherit; padding: .3rem .5rem; }
  ul { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .5rem; }
  #people li { background: #dff3e4; border-radius: 1rem; padding: 0 .8rem; }
  #messages { min-height: 10rem; display: block; }
  #typing, #state { color: #666; min-height: 1.5rem; }
</style>
<h1>Who is here</h1>
<form id="enter">
  <input name="userId" placeholder="your name" required maxlength="128" autocomplete="username">
  <input name="room" placeholder="room" value="lobby" required maxlength="128">
  <button>Come in</button>
</form>
<section id="inside" hidden>
  <p id="state"></p>
  <ul id="people" aria-label="people"></ul>
  <ul id="messages" aria-label="messages"></ul>
  <p id="typing"></p>
  <form id="say">
    <input name="text" placeholder="say something" required maxlength="4000" autocomplete="off">
    <button>Say</button>
    <button type="button" id="leave">Go</button>
  </form>
</section>
<script src="/socket.io/socket.io.js"></script>
<script>
  const at = (id) => document.getElementById(id);
  const item = (text) => Object.assign(document.createElement('li'), { textContent: text });
  const people = new Set();
  const typists = new Set();
  let socket, room;

  function show() {
    at('people').replaceChildren(...[...people].sort().map(item));
    at('typing').textContent = typists.size > 0 ? [...typists].join(', ') + (typists.size > 1 ? ' are' : ' is') + ' typing' : '';
  }

  async function post(url, body) {
    const answer = await fetch(url, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
    });
    const json = await answer.json();
    if (!answer.ok) throw new Error(json.detail ?? json.title);
    return json;
  }

  at('enter').addEventListener('submit', async (event) => {
    event.preventDefault();
    const { userId, room: wanted } = Object.fromEntries(new FormData(event.target));
    try {
      const { code = prompt('The code that was sent to you') } = await post('/accounts/codes', { userId });
      await post('/accounts/sessions', { userId, code });
    } catch (error) { return alert(error.message); }
    room = wanted;
    at('enter').hidden = true;
    at('inside').hidden = false;
    connect();
  });

  function connect() {
    socket?.disconnect(); // it may have been somebody else's
    socket = io('/presence', { transports: ['websocket'] });
    socket.on('connect', () => { if (at('enter').hidden) socket.emit('join', { room }); });
    socket.on('disconnect', () => { at('state').textContent = 'not connected'; });
    socket.on('connect_error', (error) => { at('state').textContent = error.message; });
    socket.on('exception', ({ message }) => { at('state').textContent = message; });
    socket.on('presence', ({ joins, leaves, state, partial }) => {
      if (state) people.clear();
      for (const { userId } of joins) people.add(userId);
      for (const { userId } of leaves) { people.delete(userId); typists.delete(userId); }
      at('state').textContent = partial ? 'only those on this server' : '';
      show();
    });
    socket.on('typing', ({ userId, active }) => {
      if (active) typists.add(userId); else typists.delete(userId);
      show();
    });
    socket.on('message', ({ userId, text }) => {
      typists.delete(userId);
      at('messages').append(item(userId + ': ' + text));
      show();
    });
  }

  at('say').elements.text.addEventListener('input', () => socket.emit('typing', { room }));
  at('say').addEventListener('submit', (event) => {
    event.preventDefault();
    socket.emit('message', { room, text: event.target.elements.text.value });
    event.target.reset();
  });
  at('leave').addEventListener('click', () => {
    socket.emit('leave', { room });
    people.clear();
    typists.clear();
    show();
    at('inside').hidden = true;
    at('enter').hidden = false;
  });
</script>
</html>
`;
