/** The first minutes of a server and of its people, in real browsers: owner, guest, member. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeWith } from '../support/peers.ts';
import { becomeOwner, type House, newVisitor, openHouse } from './support/house.ts';

describeWith(['chromium'], 'the first run', () => {
  let house: House;
  beforeAll(async () => {
    house = await openHouse();
  });
  afterAll(() => house[Symbol.asyncDispose]());

  test('the set-up link makes the visitor the owner, once; guests are told how to sign in, members how to join', async () => {
    await using owner = await newVisitor();
    const ownersPage = await owner.newPage();
    await becomeOwner(ownersPage, house);

    await using guest = await newVisitor();
    const guestsPage = await guest.newPage();
    await guestsPage.goto(house.setupLink);
    await guestsPage.getByRole('heading', { name: 'This server has an owner already' }).waitFor();
    await guestsPage.goto(house.origin);
    await guestsPage.getByRole('button', { name: 'Sign in to publish' }).click();
    await guestsPage.getByRole('button', { name: /Create a key/ }).click();
    await guestsPage.getByRole('button', { name: 'I have kept it' }).click();
    await guestsPage.getByRole('heading', { name: 'Your key is not on the list yet' }).waitFor();
    const npub = await guestsPage.getByLabel('Public key', { exact: true }).inputValue();
    expect(npub).toMatch(/^npub1[02-9a-z]{58}$/);

    await ownersPage.goto(`${house.origin}/settings`);
    await ownersPage.getByLabel('Public key of a person').fill(npub);
    await ownersPage.getByRole('button', { name: 'Add', exact: true }).click();
    await ownersPage.getByRole('button', { name: /^Remove npub1/ }).waitFor();

    await guestsPage.reload();
    await guestsPage.getByTestId('choose-files').waitFor();
    expect([...owner.problems, ...guest.problems]).toEqual([]);
  });

  test('a key leaves and comes back: back-up, erase, import, the same person', async () => {
    await using visitor = await newVisitor();
    const page = await visitor.newPage();
    await page.goto(house.origin);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.getByRole('button', { name: /Create a key/ }).click();
    await page.getByRole('button', { name: 'Show the key' }).click();
    const secret = await page.getByTestId('secret-key').inputValue();
    expect(secret).toMatch(/^nsec1[02-9a-z]{58}$/);
    await page.getByRole('button', { name: 'I have kept it' }).click();
    await page.goto(`${house.origin}/settings`);
    const npub = await page.getByLabel('Public key', { exact: true }).inputValue();

    await page.getByRole('button', { name: 'Erase the key' }).click();
    await page.getByRole('button', { name: 'Erase it' }).click();
    await page.getByText('You are a guest').waitFor();
    await page.getByRole('main').getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('button', { name: /I have a key/ }).click();
    await page.getByLabel('Private key').fill('nsec1thisisnokey');
    await page.getByRole('button', { name: 'Sign in with it' }).click();
    await page.getByRole('alert').filter({ hasText: 'not a private key' }).waitFor();
    await page.getByLabel('Private key').fill(secret);
    await page.getByRole('button', { name: 'Sign in with it' }).click();
    await page.getByLabel('Public key', { exact: true }).waitFor();
    expect(await page.getByLabel('Public key', { exact: true }).inputValue()).toBe(npub);
    expect(visitor.requests.filter((url) => url.includes(secret))).toEqual([]);
  });

  test('a key of this browser signs in again by itself when its session has ended', async () => {
    await using visitor = await newVisitor();
    const page = await visitor.newPage();
    await page.goto(house.origin);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.getByRole('button', { name: /Create a key/ }).click();
    await page.getByRole('button', { name: 'I have kept it' }).click();
    await page.getByRole('link', { name: /^Identity/ }).waitFor();
    await visitor.context.clearCookies();
    await page.reload();
    await page.getByRole('link', { name: /^Identity/ }).waitFor();
  });

  test('who signed out stays signed out', async () => {
    await using visitor = await newVisitor();
    const page = await visitor.newPage();
    await page.goto(house.origin);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.getByRole('button', { name: /Create a key/ }).click();
    await page.getByRole('button', { name: 'I have kept it' }).click();
    await page.getByRole('link', { name: /^Identity/ }).click();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByText('Signed out. Your key is still in this browser.').waitFor();
    await page.reload();
    await page.getByText('Signed out. Your key is still in this browser.').waitFor();
  });
});
